/** The outcomes that a sandbox recipient chooses; anything else is delivered. In the order of their digits, from 0001. */
const outcomes = [
  "delivered",
  "sent-only",
  "unreachable",
  "flaky",
  "exhausted",
  "bounced",
  "soft-bounced",
  "slow",
  "duplicate-receipts",
  "contradictory",
  "suppressed",
  "uncertain",
  "expired",
  "read",
  "complained",
] as const;
export type MagicOutcome = (typeof outcomes)[number];

const byName = new Map<string, MagicOutcome>(outcomes.map((outcome) => [outcome, outcome]));
const byDigits = new Map<string, MagicOutcome>(
  outcomes.map((outcome, index) => [String(index + 1).padStart(4, "0"), outcome]),
);

/** Chosen by the last four digits of a number. */
export const magicDigits = (to: string): MagicOutcome => byDigits.get(to.slice(-4)) ?? "delivered";

/** Chosen by a name, whose case does not matter; what follows a `+` is ignored, so that many recipients can share an outcome. */
export function magicName(name: string): MagicOutcome {
  const plus = name.indexOf("+");
  return byName.get((plus < 0 ? name : name.slice(0, plus)).toLowerCase()) ?? "delivered";
}
