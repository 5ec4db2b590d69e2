import type { Failure } from "@heliograph/contracts";
import type { SendResult, Throttles } from "@heliograph/gateways";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** When a message is tried again after failures of one kind. `docs/reference/retries.md` shows it, and a test compares the two. */
export type Schedule = {
  readonly name: "ordinary" | "deferred";
  /** Wait before the next attempt, by how many failures of this kind there were, from 1; the last one stands for all that follow. */
  readonly delaysMs: readonly number[];
  /** Failures of this kind that end the message. */
  readonly mostFailures: number;
};

/** First try and five retries in 2:20 to 4:42 minutes: a provider's restart is outlasted, and with slow answers a partner still hears of a failure within ten minutes. */
export const ordinary: Schedule = {
  name: "ordinary",
  delaysMs: [2 * SECOND_MS, 10 * SECOND_MS, 30 * SECOND_MS, MINUTE_MS, 3 * MINUTE_MS],
  mostFailures: 6,
};

/**
 * The recipient's mail server asked for a later try, as greylisting does (RFC 6647): it wants to see a sender that comes back after minutes, and some after hours
 * (RFC 5321 §4.5.4.1 speaks of days). The validity ends it: seven days at most, which are 46 tries. The number bounds the message's stream where the scale is near 0.
 */
export const deferred: Schedule = {
  name: "deferred",
  delaysMs: [
    2 * MINUTE_MS,
    5 * MINUTE_MS,
    15 * MINUTE_MS,
    30 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    4 * HOUR_MS,
  ],
  mostFailures: 100,
};

const deferringCodes: ReadonlySet<string> = new Set(["greylisted", "recipient_deferred"]);
export const scheduleOf = (error: Failure): Schedule =>
  deferringCodes.has(error.code) ? deferred : ordinary;

/** Outcomes of a message that count against a schedule, by its name. What is uncertain or bounces counts as ordinary. */
export type Spent = Readonly<Record<Schedule["name"], number>>;
export const nothingSpent: Spent = { ordinary: 0, deferred: 0 };
export const spend = (spent: Spent, { name }: Schedule): Spent => ({
  ...spent,
  [name]: spent[name] + 1,
});

/** Whether the budget of a schedule is used up, and in which words that is said. */
export const isSpent = (spent: Spent, { name, mostFailures }: Schedule): boolean =>
  spent[name] >= mostFailures;
export const allFailed = ({ mostFailures }: Schedule): string =>
  `all ${mostFailures} attempts failed`;

/**
 * Half of the scheduled wait is the floor and the other half is drawn, times `scale`: a burst of failures spreads, and no retry comes at once (Brooker,
 * "Exponential Backoff and Jitter", AWS 2015, compares the kinds of jitter). `failures` counts from 1, `random` is from [0, 1).
 */
export function backoffMs(
  { delaysMs }: Schedule,
  failures: number,
  random: number,
  scale: number,
): number {
  const delayMs = delaysMs[Math.min(failures, delaysMs.length) - 1]!;
  return (delayMs / 2) * (1 + random) * scale;
}

/** Whether a failure says something about the gateway: then another gateway may do better. */
function isGatewayFault(error: Failure): boolean {
  switch (error.class) {
    case "gateway":
    case "provider":
    case "account":
    case "timeout":
      return true;
    case "recipient":
    case "content":
    case "platform":
      return false;
    default:
      return error.class satisfies never;
  }
}

/** Whether the breaker counts what a call came to against the gateway. Recipients whom their server refuses say nothing of it, whatever the server has against us. */
export function tellsOfFault(result: SendResult): boolean {
  switch (result.type) {
    case "accepted":
      return false;
    case "rejected":
      return result.thisRecipient !== true && isGatewayFault(result.error);
    case "unavailable":
      return result.throttles === undefined || result.throttles === "gateway";
    case "uncertain":
      return true;
    default:
      return result satisfies never;
  }
}

/** Whether nothing is gained by trying it with others: it cannot be reached. A provider that takes no more for now was. */
export const tellsOfAbsence = (result: SendResult): boolean =>
  result.type === "unavailable" && result.throttles === undefined;

/** Whether the provider takes no more for now. */
export const throttles = (
  result: SendResult | { readonly type: "not_called" },
): result is Extract<SendResult, { type: "unavailable" }> & { readonly throttles: Throttles } =>
  result.type === "unavailable" && result.throttles !== undefined;

export type RetryDecision =
  | { readonly next: "retry"; readonly retryAt: number; readonly reason: string }
  | { readonly next: "failover"; readonly reason: string }
  | { readonly next: "give_up"; readonly reason: string };

/**
 * What follows a failed call. `spent` is what the message had spent before it. `others` are healthy gateways of the channel that have not failed this message since
 * its last wait: a gateway's own fault sends the message there at once.
 */
export function decideRetry(
  error: Failure,
  spent: Spent,
  others: number,
  at: { readonly now: number; readonly random: number; readonly scale: number },
): RetryDecision {
  if (error.permanent) return { next: "give_up", reason: "the failure is permanent" };
  const schedule = scheduleOf(error);
  const after = spend(spent, schedule);
  if (isSpent(after, schedule)) return { next: "give_up", reason: allFailed(schedule) };
  if (others > 0 && isGatewayFault(error))
    return { next: "failover", reason: "another gateway of the channel is healthy" };
  const failures = after[schedule.name];
  const delayMs = backoffMs(schedule, failures, at.random, at.scale);
  const which =
    schedule === deferred
      ? `the recipient's server asked for a later try: number ${failures + 1}`
      : `attempt ${failures + 1} of ${schedule.mostFailures}`;
  return {
    next: "retry",
    retryAt: at.now + delayMs,
    reason: `${which} follows after ${Math.round(delayMs)} ms`,
  };
}
