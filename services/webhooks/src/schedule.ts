import { webhookDelaysMs } from "@heliograph/contracts";
import type { Result } from "./result.ts";

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/** No receiver may park us for longer. */
const longestRetryAfterMs = 24 * hourMs;

export type Verdict =
  | { readonly type: "delivered" }
  /** 410: the receiver wants nothing any more. */
  | { readonly type: "gone" }
  | { readonly type: "retry"; readonly at: number; readonly endpointWaitsUntil: number }
  | { readonly type: "failed" };

export const isSuccess = (result: Result): boolean =>
  result.type === "answer" && result.status >= 200 && result.status < 300;

/** ±20 %, so that deliveries that failed together do not come back together. `random` is from [0, 1). */
const jittered = (ms: number, random: number): number => Math.round(ms * (0.8 + 0.4 * random));

/** What follows an attempt, `attempts` counting it. `scale` multiplies our own delays, not what the receiver asked for. */
export function judge(
  result: Result,
  attempts: number,
  now: number,
  random: number,
  scale: number,
): Verdict {
  if (isSuccess(result)) return { type: "delivered" };
  if (result.type === "answer" && result.status === 410) return { type: "gone" };
  const asked =
    result.type === "answer" ? Math.min(result.retryAfterMs ?? 0, longestRetryAfterMs) : 0;
  const delayMs = webhookDelaysMs[attempts];
  if (delayMs === undefined) return { type: "failed" };
  return {
    type: "retry",
    at: now + Math.max(jittered(delayMs * scale, random), asked),
    endpointWaitsUntil: asked > 0 ? now + asked : 0,
  };
}

/** Failures in a row, of attempts that began one after another, before an endpoint is left to cool. */
export const failuresBeforeCooling = 3;
const shortestCoolingMs = 5 * secondMs;
const longestCoolingMs = minuteMs;

/** How long a failing endpoint is left alone before one attempt probes it again: 5 s doubling to a minute. */
export function coolingMs(failures: number, random: number, scale: number): number {
  if (failures < failuresBeforeCooling) return 0;
  const doublings = Math.min(failures - failuresBeforeCooling, 10);
  return jittered(Math.min(shortestCoolingMs * 2 ** doublings, longestCoolingMs) * scale, random);
}
