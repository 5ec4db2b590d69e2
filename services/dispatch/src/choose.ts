import type { GatewayChoice } from "@heliograph/contracts";
import type { Policy, RouteTo } from "./routing.ts";

/** What the choice needs to know of a gateway at this moment. */
export type Candidate = {
  readonly name: string;
  readonly weight: number;
  /** A decimal; undefined: dearer than all whose cost is known. */
  readonly cost: string | undefined;
  /** Why it cannot be used at all now, such as an open breaker; undefined when it is healthy. */
  readonly unhealthy: string | undefined;
  /** Why it is taken only where no other can be: its calls have become slow. */
  readonly slow: string | undefined;
  /** Healthy, but at its limit for now. */
  readonly full: boolean;
  /** Full, and perhaps not in a moment: whoever is due to it waits for that, and does not go elsewhere. */
  readonly asking: boolean;
};

export type Choice<Item> =
  | { readonly type: "chosen"; readonly candidate: Item; readonly choice: GatewayChoice }
  /** Every gateway that might be used is at its limit, or its breaker is open: ask again. */
  | { readonly type: "wait" }
  | { readonly type: "none" };

/**
 * Takes one healthy gateway of a route with room: at random by weight, the first, or the cheapest. Gateways that have just failed this message are passed over as long as
 * another healthy one exists, and slow ones while another has room. Without fail-over there is no other: the first or the cheapest is waited for, and who is drawn is drawn anew for each try. `random` is from [0, 1), `unhealthy` is why the message cannot go by one now.
 */
export function choose<Item extends Candidate>(
  { candidates: all, policy, failover, rule, excluded }: RouteTo<Item>,
  failed: readonly string[],
  random: number,
  unhealthy: (item: Item) => string | undefined = (item) => item.unhealthy,
): Choice<Item> {
  const candidates = mayHave({ candidates: all, policy, failover });
  if (candidates.length === 0) return { type: "none" };
  if (candidates.length === 1) {
    const candidate = candidates[0]!;
    if (candidate.full || unhealthy(candidate) !== undefined) return { type: "wait" };
    return { type: "chosen", candidate, choice: onlyChoice(candidate, rule, excluded) };
  }
  const healthy = candidates.filter((candidate) => unhealthy(candidate) === undefined);
  const fresh = healthy.filter((candidate) => !failed.includes(candidate.name));
  const usable = fresh.length > 0 ? fresh : healthy;
  const open = usable.filter((candidate) => !candidate.full || candidate.asking);
  if (open.length === 0) return { type: "wait" };
  const quick = open.filter((candidate) => candidate.slow === undefined);
  const { candidate, why } = taken(quick.length > 0 ? quick : open, policy, random);
  if (candidate.full) return { type: "wait" };
  const instead = fresh.length > 0 && failed.length > 0;
  const reason = although(candidate, instead ? `fail-over from ${failed.join(", ")}` : why);
  return {
    type: "chosen",
    candidate,
    choice: {
      reason: (rule === undefined ? reason : `rule ${rule}: ${reason}`).slice(0, 500),
      // Whoever is named here may have the message when this one fails.
      considered: [
        ...(failover ? candidates : [candidate]).map((item) => ({
          gateway: item.name,
          verdict: unhealthy(item) ?? verdict(item, candidate, failed, policy),
        })),
        ...notAtAll(excluded),
      ],
    },
  };
}

const ofChannel = "the only gateway of the channel";
const only: GatewayChoice = { reason: ofChannel };

const although = ({ slow }: Candidate, reason: string): string =>
  slow === undefined ? reason : `${reason}, although ${slow}`;

/** Under a rule the channel has others: that they were no choice is said. */
function onlyChoice(item: Candidate, rule: number | undefined, excluded: Excluded): GatewayChoice {
  const { name: gateway, slow } = item;
  if (rule === undefined && excluded === undefined)
    return slow === undefined ? only : { reason: although(item, ofChannel) };
  const reason = although(item, "the only gateway for the message");
  return {
    reason: rule === undefined ? reason : `rule ${rule}: ${reason}`,
    considered: [{ gateway, verdict: "chosen" }, ...notAtAll(excluded)],
  };
}

type Excluded = RouteTo<unknown>["excluded"];
/** Said beside the others, and never taken. */
export const notAtAll = (excluded: Excluded = []): NonNullable<GatewayChoice["considered"]> =>
  excluded.map(({ name, why }) => ({ gateway: name, verdict: why.slice(0, 200), excluded: true }));

/** Those that may come to have the message: without fail-over that is the one that is waited for. */
export const mayHave = <Item extends Candidate>({
  candidates,
  policy,
  failover,
}: Pick<RouteTo<Item>, "candidates" | "policy" | "failover">): readonly Item[] =>
  failover ? candidates : onlyOne(candidates, policy);

const onlyOne = <Item extends Candidate>(all: readonly Item[], policy: Policy): readonly Item[] =>
  policy === "weighted" ? all : inOrder(all, policy).slice(0, 1);

function taken<Item extends Candidate>(
  open: readonly Item[],
  policy: Policy,
  random: number,
): { readonly candidate: Item; readonly why: string } {
  if (policy !== "weighted") {
    const [candidate] = inOrder(open, policy);
    const why = policy === "priority" ? "the first" : "the cheapest";
    return { candidate: candidate!, why: `${why} of ${counted(open.length)}` };
  }
  const total = open.reduce((sum, candidate) => sum + candidate.weight, 0);
  let rest = random * total;
  const candidate = open.find((item) => (rest -= item.weight) < 0) ?? open.at(-1)!;
  const why = `weight ${candidate.weight} of ${total} among ${counted(open.length)}`;
  return { candidate, why };
}

const counted = (count: number): string =>
  `${count} usable ${count === 1 ? "gateway" : "gateways"}`;

/** By cost, or as the rule names them; equal costs stay in that order. */
const inOrder = <Item extends Candidate>(all: readonly Item[], policy: Policy): readonly Item[] =>
  policy === "least_cost" ? all.toSorted((one, other) => costOf(one) - costOf(other)) : all;

const costOf = ({ cost }: Candidate): number =>
  cost === undefined ? Number.POSITIVE_INFINITY : Number(cost);

function verdict(
  item: Candidate,
  chosen: Candidate,
  failed: readonly string[],
  policy: Policy,
): string {
  if (item === chosen) return "chosen";
  if (failed.includes(item.name)) return "has just failed this message";
  if (item.full) return "at its limit";
  if (item.slow !== undefined) return item.slow;
  if (policy === "weighted") return "not drawn";
  return policy === "priority" ? "comes later" : "dearer";
}
