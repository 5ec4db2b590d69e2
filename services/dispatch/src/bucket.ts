/** A token bucket: `perSecond` on average, bursts of a tenth of a second's worth (at least one). Times are epoch ms. */
export type Bucket = {
  has(now: number): boolean;
  take(): void;
  /** When the next token is there. */
  nextAt(now: number): number;
};

const BURST_SECONDS = 0.1;

export function createBucket(perSecond: number | undefined, now: number): Bucket {
  if (perSecond === undefined) return { has: () => true, take: () => {}, nextAt: (at) => at };
  const most = Math.max(1, perSecond * BURST_SECONDS);
  let tokens = most;
  let filledAt = now;
  function fill(at: number): void {
    // A clock that is set back must not take tokens away, nor one set forward give more than a burst.
    if (at > filledAt) tokens = Math.min(most, tokens + ((at - filledAt) / 1000) * perSecond!);
    filledAt = at;
  }
  return {
    has(at) {
      fill(at);
      return tokens >= 1;
    },
    take() {
      tokens -= 1;
    },
    nextAt(at) {
      fill(at);
      return tokens >= 1 ? at : at + Math.ceil(((1 - tokens) / perSecond) * 1000);
    },
  };
}
