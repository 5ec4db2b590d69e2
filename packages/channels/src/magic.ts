import type { Channel } from "@heliograph/contracts";

/** The outcomes that a sandbox recipient chooses, and what they are; anything else is delivered. In the order of their digits, from 0001. The guide has the same table, held against this one by a test. */
const outcomes = {
  delivered: "sent, delivered",
  "sent-only": "sent, no receipt ever",
  unreachable: "permanent failure at the first attempt, refund",
  flaky: "two transient failures, then sent and delivered",
  exhausted: "transient failures until retries are exhausted, refund",
  bounced: "sent, then a permanent bounce (e-mail) or undelivered",
  "soft-bounced": "transient bounce, retried, then delivered",
  slow: "the provider answers after 5 s",
  "duplicate-receipts": "receipts three times, out of order, one before the answer to the send",
  contradictory: "delivered, then failed: stays delivered",
  suppressed: "refused: the recipient opted out",
  uncertain: "the provider times out after accepting",
  expired: "no gateway takes it before its validity ends (`validity_seconds`, ten at least)",
  read: "sent, delivered, read",
  complained:
    "sent, delivered, then complained about: the status stays, and the next send is refused until you end the suppression",
} as const;
export type MagicOutcome = keyof typeof outcomes;

/** Digits, name and meaning of each. */
export const magicOutcomes = Object.entries(outcomes).map(([name, means], index) => ({
  digits: String(index + 1).padStart(4, "0"),
  name: name as MagicOutcome,
  means,
}));

const byName = new Map<string, MagicOutcome>(magicOutcomes.map(({ name }) => [name, name]));
const byDigits = new Map<string, MagicOutcome>(
  magicOutcomes.map(({ digits, name }) => [digits, name]),
);

/** Chosen by the last four digits of a number. */
export const magicDigits = (to: string): MagicOutcome => byDigits.get(to.slice(-4)) ?? "delivered";

/** Chosen by a name, whose case does not matter; what follows a `+` is ignored, so that many recipients can share an outcome. */
export function magicName(name: string): MagicOutcome {
  const plus = name.indexOf("+");
  return byName.get((plus < 0 ? name : name.slice(0, plus)).toLowerCase()) ?? "delivered";
}

/** The address of a sandbox that is written to where none is named. The number is one of those that are kept for fiction (+1 555 01xx). */
export const sandboxInboxes: Readonly<Record<Channel, string>> = {
  sms: "+15550109999",
  whatsapp: "+15550109999",
  email: "inbox@sandbox.example",
  push: "sandbox",
  telegram: "sandbox",
  broadcast: "sandbox",
};
