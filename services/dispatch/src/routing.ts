import { type GatewayChoice, accountOf } from "@heliograph/contracts";
import { carries, gatewayFault, type SenderRule, senderRuleFor } from "@heliograph/domain";
import { type Means, meansOf, reaching } from "@heliograph/gateways";
import type { GatewayConfig, RoutingRules } from "@heliograph/runtime";
import type { Requested } from "./state.ts";

/** What of a gateway decides whether it may carry a message. */
export type Routable = Pick<GatewayConfig, "gateway_id" | "kind" | "partner_id" | "countries">;

/** How one of the gateways of a route is taken. */
export type Policy = RoutingRules[number]["policy"];

/** The gateways that may carry a message, in the order of the rule that names them. */
export type RouteTo<Item> = {
  readonly candidates: readonly Item[];
  readonly policy: Policy;
  readonly failover: boolean;
  /** From 1; undefined where none matches and every gateway of the channel may carry it. */
  readonly rule: number | undefined;
  /** Those that would be among the candidates, but may not carry it with its sender to that country. */
  readonly excluded?: readonly { readonly name: string; readonly why: string }[];
};

/** What of a message decides where it may go; `to` readable. */
export type Routed = Pick<Requested, "channel" | "to" | "from"> & {
  readonly pool?: string | undefined;
  /** Of whose pool the sender is: it goes by that gateway alone. */
  readonly onlyBy?: string | undefined;
  /** The national tables that it is counted with: who sends without them would send another number of parts. */
  readonly national?: Requested["segments"]["national"];
  readonly partner: string | undefined;
  readonly category?: Requested["category"] | undefined;
  readonly country: string;
};

/** `to`: readable. */
export const routedAs = (
  { channel, from, sender_pool, category, price, segments }: Requested,
  to: string,
  partner: string | undefined,
): Routed => ({
  channel,
  to,
  from,
  pool: sender_pool?.pool_id,
  onlyBy: sender_pool?.gateway_id,
  national: segments.national,
  category,
  country: price.country,
  partner,
});

type Rule = RoutingRules[number];
/** A rule and its place among all, from 1. */
type Numbered = { readonly rule: Rule; readonly number: number };
/** The rules that messages of a channel look at. */
export type ChannelRules = ReadonlyMap<string, readonly Numbered[]>;

/** A rule that names no channel is for those of its gateways, be they switched on or not: what it cannot carry is not its concern. */
export function rulesByChannel(
  rules: RoutingRules,
  configs: readonly Pick<GatewayConfig, "gateway_id" | "channel">[],
): ChannelRules {
  const channelOf = new Map(configs.map(({ gateway_id, channel }) => [gateway_id, channel]));
  const found = new Map<string, Numbered[]>();
  for (const [index, rule] of rules.entries()) {
    const { channel } = rule.match;
    const own =
      channel === undefined ? rule.gateways.flatMap((id) => channelOf.get(id) ?? []) : [channel];
    for (const each of new Set(own)) {
      const list = found.get(each) ?? [];
      found.set(each, list);
      list.push({ rule, number: index + 1 });
    }
  }
  return found;
}

/**
 * Where a message may go: to the gateways of the first rule that matches it, else to all of its channel. Those that are another partner's, that do not carry to its
 * country, that do not have the pool of its sender, or that a rule names and nobody has, are none of them; nor are those whose provider does not know the recipient, where another does.
 */
export function routeOf<Item extends { readonly config: Routable }>(
  rules: ChannelRules,
  ofChannel: readonly Item[],
  message: Routed,
): RouteTo<Item> {
  const found = rules.get(message.channel)?.find(({ rule }) => matches(rule.match, message));
  const named =
    found === undefined
      ? ofChannel
      : found.rule.gateways.flatMap(
          (id) => ofChannel.find(({ config }) => config.gateway_id === id) ?? [],
        );
  const { onlyBy } = message;
  const fits = ({ config }: Item): boolean =>
    carries(config, message.partner, message.country) &&
    (onlyBy === undefined || config.gateway_id === onlyBy);
  const candidates = reaching(named.every(fits) ? named : named.filter(fits), message.to);
  return found === undefined
    ? { candidates, policy: "weighted", failover: true, rule: undefined }
    : {
        candidates,
        policy: found.rule.policy,
        failover: found.rule.failover,
        rule: found.number,
      };
}

/**
 * The route without those whose sender, or whose lack of one, the recipient's country does not take, and those that do not send the national tables that the message is counted with. Where
 * nobody is left who sends them, because they were switched off since, it goes without them, in UCS-2: in more parts perhaps, for the price that was agreed.
 */
export function takenThere<Item extends { readonly config: Routable & Named }>(
  route: RouteTo<Item>,
  { channel, to, from, national }: Routed,
  senderRules: readonly SenderRule[],
  means: (config: Item["config"]) => Means,
): RouteTo<Item> {
  const rule = senderRuleFor(senderRules, channel, to);
  if (rule === undefined && national === undefined) return route;
  const excluded: { readonly name: string; readonly why: string }[] = [];
  const allowed = route.candidates.filter(({ config }) => {
    const why = gatewayFault(rule, from, means(config))?.message;
    if (why !== undefined) excluded.push({ name: config.name, why });
    return why === undefined;
  });
  const sending = allowed.filter(({ config }) => sends(national, means(config).languages));
  const candidates = sending.length > 0 ? sending : allowed;
  for (const item of allowed)
    if (!candidates.includes(item)) excluded.push({ name: item.config.name, why: lacksTables });
  return excluded.length === 0 ? route : { ...route, candidates, excluded };
}

const lacksTables = "it does not send the national tables that the message is counted with";

const sends = (
  { locking, single }: NonNullable<Routed["national"]> = {},
  languages: readonly number[],
): boolean => [locking, single].every((table) => table === undefined || languages.includes(table));

/**
 * Why none of the gateways of its channel, switched on or not, may carry a message with its sender, or its lack of one, to the recipient's country; undefined where one may, which is waited for
 * if need be, or where none is there to ask.
 */
export function senderRefusal(
  rules: ChannelRules,
  ofChannel: readonly { readonly config: Routable & Sending }[],
  message: Routed,
  senderRules: readonly SenderRule[],
): string | undefined {
  const rule = senderRuleFor(senderRules, message.channel, message.to);
  if (rule === undefined) return undefined;
  const route = routeOf(rules, ofChannel, message);
  const { candidates, excluded } = takenThere(route, message, senderRules, meansOf);
  const [first] = excluded ?? [];
  return candidates.length > 0 || first === undefined
    ? undefined
    : `no gateway may send it to +${rule.country_prefix}: ${first.name}: ${first.why}`;
}

type Named = Pick<GatewayConfig, "name">;
type Sending = Named & Pick<GatewayConfig, "settings">;

function matches(match: Rule["match"], message: Routed): boolean {
  const { country_prefix, partner, category, sender, sender_pool } = match;
  return (
    (country_prefix === undefined || message.to.startsWith(`+${country_prefix}`)) &&
    (partner === undefined || partner === accountOf(message.partner ?? "")) &&
    (category === undefined || category === message.category) &&
    (sender === undefined || sender === message.from) &&
    (sender_pool === undefined || sender_pool === message.pool)
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
      (considered === undefined ||
        considered.some((each) => each.gateway === name && each.excluded === undefined)),
  );
