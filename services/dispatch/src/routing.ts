import type { GatewayChoice } from "@heliograph/contracts";
import type { GatewayConfig, RoutingRules } from "@heliograph/runtime";
import type { Requested } from "./state.ts";

/** How one of the gateways of a route is taken. */
export type Policy = RoutingRules[number]["policy"];

/** The gateways that may carry a message, in the order of the rule that names them. */
export type RouteTo<Item> = {
  readonly candidates: readonly Item[];
  readonly policy: Policy;
  readonly failover: boolean;
  /** From 1; undefined where none matches and every gateway of the channel may carry it. */
  readonly rule: number | undefined;
};

/** What of a message decides where it may go; `to` readable. */
export type Routed = Pick<Requested, "channel" | "to" | "from"> & {
  readonly partner: string | undefined;
  readonly category?: Requested["category"] | undefined;
  readonly country: string;
};

/**
 * Where a message may go: to the gateways of the first rule that matches it, else to all of its channel. Those that are another partner's, that do not carry to its
 * country, or that a rule names and nobody has, are none of them.
 */
export function routeOf<Item extends { readonly config: GatewayConfig }>(
  rules: RoutingRules,
  ofChannel: readonly Item[],
  message: Routed,
): RouteTo<Item> {
  const index = rules.findIndex((rule) => matches(rule.match, message));
  const rule = rules[index];
  const named =
    rule === undefined
      ? ofChannel
      : rule.gateways.flatMap(
          (id) => ofChannel.find(({ config }) => config.gateway_id === id) ?? [],
        );
  const candidates = named.every(({ config }) => carries(config, message))
    ? named
    : named.filter(({ config }) => carries(config, message));
  return rule === undefined
    ? { candidates, policy: "weighted", failover: true, rule: undefined }
    : { candidates, policy: rule.policy, failover: rule.failover, rule: index + 1 };
}

const carries = ({ partner_id, countries }: GatewayConfig, { partner, country }: Routed): boolean =>
  (partner_id === undefined || partner_id === partner) &&
  (countries === undefined || country === "" || countries.includes(country));

function matches(match: RoutingRules[number]["match"], message: Routed): boolean {
  const { channel, country_prefix, partner, category, sender } = match;
  return (
    (channel === undefined || channel === message.channel) &&
    (country_prefix === undefined || message.to.startsWith(`+${country_prefix}`)) &&
    (partner === undefined || partner === message.partner) &&
    (category === undefined || category === message.category) &&
    (sender === undefined || sender === message.from)
  );
}

/** The other gateways that a message might have had. What was chosen without a word about others had none, but for one whose choice is not known any more. */
export const alternatives = <Item extends { readonly name: string }>(
  ofChannel: readonly Item[],
  { considered }: GatewayChoice,
  gateway: string,
): readonly Item[] =>
  ofChannel.filter(
    ({ name }) =>
      name !== gateway &&
      (considered === undefined || considered.some((each) => each.gateway === name)),
  );
