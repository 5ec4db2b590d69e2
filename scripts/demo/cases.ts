/** What a case must come to: a status, or a refusal of the request itself. */
export type Expected = "sent" | "delivered" | "read" | "failed" | "bounced" | "expired" | "refused";

export type Case = {
  readonly name: string;
  readonly expected: Expected;
  readonly request: Readonly<Record<string, unknown>>;
};

const template = (to: string): Record<string, unknown> => ({
  channel: "whatsapp",
  to,
  template: "order_confirmation",
  language: "en",
  variables: { name: "Nayeem", order_id: "TR-204821", eta: "15 minutes" },
});
const sms = (to: string): Record<string, unknown> => ({
  channel: "sms",
  to,
  text: "Your parcel arrives between 14:00 and 15:00.",
});
const email = (to: string): Record<string, unknown> => ({
  channel: "email",
  to,
  subject: "Your parcel",
  text: "It arrives between 14:00 and 15:00.",
});

/** The message of the documentation, then one for each outcome that a sandbox recipient can choose (`docs/guides/sandbox.md`). */
export const cases: readonly Case[] = [
  { name: "example", expected: "delivered", request: template("+15551234567") },
  { name: "0001 delivered", expected: "delivered", request: sms("+15551230001") },
  { name: "0002 sent-only", expected: "sent", request: template("+15551230002") },
  { name: "0003 unreachable", expected: "failed", request: sms("+15551230003") },
  { name: "0004 flaky", expected: "delivered", request: sms("+15551230004") },
  { name: "0005 exhausted", expected: "failed", request: template("+15551230005") },
  { name: "0006 bounced", expected: "bounced", request: email("bounced@example.com") },
  { name: "0006 undelivered", expected: "failed", request: sms("+15551230006") },
  { name: "0007 soft-bounced", expected: "delivered", request: email("soft-bounced@example.com") },
  { name: "0008 slow", expected: "delivered", request: sms("+15551230008") },
  { name: "0009 duplicate", expected: "delivered", request: template("+15551230009") },
  { name: "0010 contradictory", expected: "delivered", request: sms("+15551230010") },
  { name: "0011 suppressed", expected: "refused", request: sms("+15551230011") },
  { name: "0012 uncertain", expected: "delivered", request: template("+15551230012") },
  // The shortest validity there is.
  {
    name: "0013 expired",
    expected: "expired",
    request: { ...sms("+15551230013"), validity_seconds: 10 },
  },
  { name: "0014 read", expected: "read", request: template("+15551230014") },
  // Another address each time: who complained once is refused from then on.
  {
    name: "0015 complained",
    expected: "delivered",
    request: email(`complained+${Date.now()}@example.com`),
  },
];

/** A message that was sent is paid, also when it bounced later; one that failed costs nothing. */
export const isCharged = (expected: Expected): boolean =>
  expected !== "failed" && expected !== "expired" && expected !== "refused";
