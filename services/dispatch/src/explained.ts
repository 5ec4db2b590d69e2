import type { GatewayChoice } from "@heliograph/contracts";
import { type GatewayConfig, throughFault } from "@heliograph/gateways";
import { type Candidate, type Choice, notAtAll } from "./choose.ts";
import { restWords } from "./rest.ts";
import type { RouteTo } from "./routing.ts";
import type { GatewayHealth } from "./tables/gateways.ts";

/** A gateway as the choice sees one that is not at its limit: what is at its limit right now only a dispatcher knows. */
export function withRoom<Config extends Pick<GatewayConfig, "name" | "weight" | "cost">>(
  config: Config,
  { unhealthy, slow }: Partial<HealthNow> = {},
): Candidate & { readonly config: Config } {
  const { name, weight, cost } = config;
  return { config, name, weight, cost, unhealthy, slow, full: false, asking: false };
}

type HealthNow = Pick<Candidate, "unhealthy" | "slow">;

/** Why nothing goes by a gateway now, the one that it goes through cannot be used or its breaker is open; or why only what has no other way does. */
export function healthNow(
  config: GatewayConfig,
  gateways: readonly GatewayConfig[],
  {
    breaker,
    slow,
    throttled_until: restsUntil,
  }: Pick<GatewayHealth, "breaker" | "slow" | "throttled_until">,
  now = Date.now(),
): HealthNow {
  const isOpen = breaker === "open";
  const unhealthy =
    throughFault(config, gateways) ??
    (restsUntil !== null && restsUntil.getTime() > now
      ? restWords(restsUntil.getTime())
      : undefined) ??
    (isOpen && slow === null ? "its circuit breaker is open" : undefined);
  return { unhealthy, slow: isOpen && slow !== null ? slow : undefined };
}

/** A choice for somebody who asks what it would be; `gateway` is the name of the one that is taken, null where none can be. */
export function explained<Item extends Candidate>(
  { candidates, rule, excluded }: RouteTo<Item>,
  choice: Choice<Item>,
): { readonly gateway: string | null } & Required<GatewayChoice> {
  if (choice.type === "chosen") {
    const { name: gateway } = choice.candidate;
    const { reason, considered = [{ gateway, verdict: "chosen" }] } = choice.choice;
    return { gateway, reason, considered };
  }
  const why = choice.type === "none" ? "no gateway carries it" : "no gateway is healthy";
  return {
    gateway: null,
    reason: `${rule === undefined ? "" : `rule ${rule}: `}${why}`,
    considered: [
      ...candidates.map(({ name, unhealthy }) => ({
        gateway: name,
        verdict: unhealthy ?? "not taken",
      })),
      ...notAtAll(excluded),
    ],
  };
}
