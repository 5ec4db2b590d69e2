import type { Failure } from "@heliograph/contracts";

/** First try and five retries: with the delays below a message is given up within about two minutes. */
export const MAX_CALLS = 6;
const BASE_MS = 1_000;
const CAP_MS = 60_000;

/**
 * Capped exponential back-off with full jitter: anything from 0 to 1 s, 2 s, 4 s … 60 s, multiplied by `scale`. Full jitter spreads a
 * burst of failures best (Brooker, "Exponential Backoff and Jitter", AWS 2015). `failures` counts from 1.
 */
export function backoffMs(failures: number, random: number, scale: number): number {
  return Math.min(CAP_MS, BASE_MS * 2 ** Math.min(failures - 1, 16)) * random * scale;
}

/** Whether a failure says something about the gateway: then another gateway may do better, and the breaker counts it. */
export function isGatewayFault(error: Failure): boolean {
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

export type RetryDecision =
  | { readonly next: "retry"; readonly retryAt: number; readonly reason: string }
  | { readonly next: "failover"; readonly reason: string }
  | { readonly next: "give_up"; readonly reason: string };

/**
 * What follows a failed call. `calls` includes it. `others` are healthy gateways of the channel that have not failed this message since
 * its last wait: a gateway's own fault sends the message there at once.
 */
export function decideRetry(
  error: Failure,
  calls: number,
  others: number,
  at: { readonly now: number; readonly random: number; readonly scale: number },
): RetryDecision {
  if (error.permanent) return { next: "give_up", reason: "the failure is permanent" };
  if (calls >= MAX_CALLS) return { next: "give_up", reason: `all ${MAX_CALLS} attempts failed` };
  if (others > 0 && isGatewayFault(error))
    return { next: "failover", reason: "another gateway of the channel is healthy" };
  const delayMs = backoffMs(calls, at.random, at.scale);
  return {
    next: "retry",
    retryAt: at.now + delayMs,
    reason: `attempt ${calls + 1} of ${MAX_CALLS} follows after ${Math.round(delayMs)} ms`,
  };
}
