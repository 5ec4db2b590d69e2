/** So many times as long as usual is slow: less is what networks and queues do by themselves. */
const TIMES = 4;
/** By so much of itself a call moves what is usual towards it, as with the median of `stats.ts`. */
const STEP = 0.05;
/** Of a gateway that names no bound: this share of its calls' deadline. */
const SHARE_OF_TIMEOUT = 0.5;

/** What a slow call is slow by. */
export type Slow = {
  readonly tookMs: number;
  /** Undefined: no other call has told yet. */
  readonly usualMs: number | undefined;
  readonly boundMs: number;
};

/** From which duration on a gateway's calls can be slow, ms. */
export const slowAfterMs = (config: {
  readonly slow_after_ms?: number | undefined;
  readonly timeout_ms: number;
}): number => config.slow_after_ms ?? config.timeout_ms * SHARE_OF_TIMEOUT;

export const slowWords = ({ tookMs, usualMs, boundMs }: Slow): string =>
  `its calls have become slow: ${Math.round(tookMs)} ms, where ${usualMs === undefined ? "no other is known" : `${Math.round(usualMs)} ms are usual`} and ${Math.round(boundMs)} ms are its bound`;

/** How long the calls of a gateway take as a rule. */
export type Pace = {
  /**
   * Whether a call was slow: it took at least as long as the gateway's bound, and at least four times as long as its calls usually do. What is slow teaches nothing of what is usual, so a gateway
   * that stays slow never comes to be one that always was; and where nothing is known yet the bound alone decides.
   */
  judge(tookMs: number, boundMs: number): Slow | undefined;
};

export function createPace(): Pace {
  let usualMs: number | undefined;
  return {
    judge(tookMs, boundMs) {
      if (tookMs >= boundMs && tookMs >= (usualMs ?? 0) * TIMES)
        return { tookMs, usualMs, boundMs };
      usualMs ??= tookMs;
      if (tookMs !== usualMs) usualMs *= tookMs > usualMs ? 1 + STEP : 1 - STEP;
      return undefined;
    },
  };
}
