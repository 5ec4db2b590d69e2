/** The outcomes that a sandbox recipient chooses; anything else is delivered. */
export type MagicOutcome =
  | "delivered"
  | "sent-only"
  | "unreachable"
  | "flaky"
  | "exhausted"
  | "bounced"
  | "soft-bounced"
  | "slow"
  | "duplicate-receipts"
  | "contradictory"
  | "suppressed"
  | "uncertain";

const outcomes: readonly MagicOutcome[] = [
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
];
const byName = new Map(outcomes.map((outcome) => [outcome as string, outcome]));
const byDigits = new Map(
  outcomes.map((outcome, index) => [String(index + 1).padStart(4, "0"), outcome]),
);

/**
 * The outcome of a sandbox recipient: the local part of an e-mail address (what follows a `+` is ignored, so that many recipients
 * can share an outcome) or the last four characters of anything else.
 */
export function magicOutcome(to: string): MagicOutcome {
  const at = to.lastIndexOf("@");
  if (at < 0) return byDigits.get(to.slice(-4)) ?? "delivered";
  const plus = to.indexOf("+");
  return byName.get(to.slice(0, plus >= 0 && plus < at ? plus : at).toLowerCase()) ?? "delivered";
}
