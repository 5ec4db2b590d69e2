/** Limits that one service keeps and that others tell people of: each has its one definition here. */

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/** For a webhook's connection, headers and body together. */
export const webhookAnswerMs = 15 * secondMs;

/** Delay before each attempt of a webhook: ten attempts over about 75 hours (the schedule that Standard Webhooks 1.0 suggests). */
export const webhookDelaysMs: readonly number[] = [
  0,
  5 * secondMs,
  5 * minuteMs,
  30 * minuteMs,
  2 * hourMs,
  5 * hourMs,
  10 * hourMs,
  14 * hourMs,
  20 * hourMs,
  24 * hourMs,
];

/** NIST SP 800-63B §3.1.1.2: eight characters at least, and no rules of composition. */
export const leastPasswordCharacters = 8;

/** How long an agent may take to accept. */
export const invitationMs = 7 * 24 * hourMs;

export const mostBatchMessages = 1_000;

const units = [
  [24 * hourMs, "day"],
  [hourMs, "hour"],
  [minuteMs, "minute"],
  [secondMs, "second"],
] as const;

/** A length of time in the largest unit of which there is one, without what is left over: "3 days". */
export function inWords(ms: number): string {
  const [unitMs, name] = units.find(([each]) => ms >= each) ?? units[3];
  const count = Math.floor(ms / unitMs);
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}
