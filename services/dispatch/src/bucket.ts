/** A token bucket: `perSecond` on average, bursts of a tenth of a second's worth (at least one). Times are epoch ms. */
export type Bucket = {
  has(now: number): boolean;
  take(): void;
  /** When the next token is there. */
  nextAt(now: number): number;
  /** It has no token, and may be about to get some. */
  readonly asking: boolean;
  /** Gives back what it took ahead. */
  close(): void;
};

const BURST_SECONDS = 0.1;
export const burstOfRate = (perSecond: number): number => Math.max(1, perSecond * BURST_SECONDS);

/** A gateway without a rate. */
export const noBucket: Bucket = {
  has: () => true,
  take: () => undefined,
  nextAt: (at) => at,
  asking: false,
  close: () => undefined,
};

/** A bucket of this process. It begins with one token, not full: who dispatched before may have taken all there was a moment ago. */
export function createBucket(perSecond: number, now: number): Bucket {
  const most = burstOfRate(perSecond);
  let tokens = 1;
  let filledAt = now;
  function fill(at: number): void {
    // A clock that is set back must not take tokens away, nor one set forward give more than a burst.
    if (at > filledAt) tokens = Math.min(most, tokens + ((at - filledAt) / 1000) * perSecond);
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
    asking: false,
    close: () => undefined,
  };
}

/** Of a gateway that goes through another one: what it takes is taken there too. `other` is that one's, as it is now; undefined while it is not there. */
export const bucketOfBoth = (own: Bucket, other: () => Bucket | undefined): Bucket => ({
  has: (now) => own.has(now) && (other()?.has(now) ?? true),
  take() {
    own.take();
    other()?.take();
  },
  nextAt: (now) => Math.max(own.nextAt(now), other()?.nextAt(now) ?? now),
  get asking() {
    return own.asking || (other()?.asking ?? false);
  },
  close: () => own.close(),
});
