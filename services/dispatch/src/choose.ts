import type { GatewayChoice } from "@heliograph/contracts";

/** What the choice needs to know of a gateway at this moment. */
export type Candidate = {
  readonly name: string;
  readonly weight: number;
  /** Why it cannot be used at all now, such as an open breaker; undefined when it is healthy. */
  readonly unhealthy: string | undefined;
  /** Healthy, but at its limit for now. */
  readonly full: boolean;
};

export type Choice<Item> =
  | { readonly type: "chosen"; readonly candidate: Item; readonly choice: GatewayChoice }
  /** Every gateway that might be used is at its limit, or its breaker is open: ask again. */
  | { readonly type: "wait" }
  | { readonly type: "none" };

const only: GatewayChoice = { reason: "the only gateway of the channel" };

/**
 * Takes one healthy gateway with room, at random by weight. Gateways that have just failed this message are passed over as long as
 * another healthy one exists. `random` is from [0, 1).
 */
export function choose<Item extends Candidate>(
  candidates: readonly Item[],
  failed: readonly string[],
  random: number,
): Choice<Item> {
  if (candidates.length === 0) return { type: "none" };
  if (candidates.length === 1) {
    const candidate = candidates[0]!;
    return candidate.full || candidate.unhealthy !== undefined
      ? { type: "wait" }
      : { type: "chosen", candidate, choice: only };
  }
  const healthy = candidates.filter((candidate) => candidate.unhealthy === undefined);
  const fresh = healthy.filter((candidate) => !failed.includes(candidate.name));
  const usable = fresh.length > 0 ? fresh : healthy;
  const open = usable.filter((candidate) => !candidate.full);
  const total = open.reduce((sum, candidate) => sum + candidate.weight, 0);
  if (open.length === 0) return { type: "wait" };
  let rest = random * total;
  const candidate = open.find((item) => (rest -= item.weight) < 0) ?? open.at(-1)!;
  const failover = fresh.length > 0 && failed.length > 0;
  return {
    type: "chosen",
    candidate,
    choice: {
      reason: failover
        ? `fail-over from ${failed.join(", ")}`.slice(0, 500)
        : `weight ${candidate.weight} of ${total} among ${open.length} usable ${open.length === 1 ? "gateway" : "gateways"}`,
      considered: candidates.map((item) => ({
        gateway: item.name,
        verdict: verdict(item, candidate, failed),
      })),
    },
  };
}

function verdict(item: Candidate, chosen: Candidate, failed: readonly string[]): string {
  if (item === chosen) return "chosen";
  if (item.unhealthy !== undefined) return item.unhealthy;
  if (failed.includes(item.name)) return "has just failed this message";
  return item.full ? "at its limit" : "not drawn";
}
