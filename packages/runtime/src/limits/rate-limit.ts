/** What somebody may do: `requests` in `windowSeconds` on average, and `burst` of them at once (`requests` when left out). */
export type Limit = {
  readonly requests: number;
  readonly windowSeconds: number;
  readonly burst?: number | undefined;
};
export type Verdict = {
  readonly allowed: boolean;
  /** How many of those asked for. */
  readonly granted: number;
  /** Whole requests left now. */
  readonly remaining: number;
  /** Until the whole burst is there again. */
  readonly resetSeconds: number;
  /** 0 when allowed in full. */
  readonly retryAfterSeconds: number;
};

/** However much a partner was let send at once, it waits no longer than this for its next request. */
export const maxDebtMs = 60_000;

type Bucket = { limit: Limit; fullAtMs: number };

/**
 * A token bucket in the form of GCRA (ITU-T I.371): one number per name, the time at which its bucket would be full again. A name that comes with another limit than
 * before begins with a full bucket, so that a change is in force at once. A restart starts with full buckets, so it allows at most one burst more, never an unlimited rate.
 */
export class RateLimiter {
  readonly #buckets = new Map<string, Bucket>();
  readonly #now: () => number;
  #calls = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Takes as many of `count` as there are. */
  take(name: string, limit: Limit, count = 1): Verdict {
    const now = this.#now();
    const bucket = this.#bucket(name, limit, now);
    const granted = Math.min(count, tokensOf(bucket, now));
    bucket.fullAtMs += granted * intervalMs(limit);
    if (++this.#calls % 10_000 === 0) this.#forgetFull(now);
    return verdictOf(limit, bucket.fullAtMs - now, granted, count);
  }

  /**
   * Charges more for a request that was let in, once its size is known: in full even when less is left, so that a batch is let in like a request but pays for all of its items. Refused
   * when others have taken the last token since: of many that come at once only as many are let in as there is room for.
   */
  charge(name: string, limit: Limit, cost: number): Verdict {
    const now = this.#now();
    const bucket = this.#bucket(name, limit, now);
    const mostMs = bucketMs(limit);
    const aheadMs = bucket.fullAtMs - now;
    if (aheadMs > mostMs)
      return {
        ...verdictOf(limit, aheadMs, 0, cost),
        allowed: false,
        // It needs no token of its own, only that there is no debt.
        retryAfterSeconds: wholeSeconds(aheadMs - mostMs),
      };
    const nextMs = Math.min(aheadMs + intervalMs(limit) * cost, mostMs + maxDebtMs);
    bucket.fullAtMs = now + nextMs;
    return { ...verdictOf(limit, nextMs, cost, cost), allowed: true };
  }

  /** What is left. Takes nothing. */
  look(name: string, limit: Limit): Verdict {
    const now = this.#now();
    return verdictOf(limit, this.#bucket(name, limit, now).fullAtMs - now, 0, 0);
  }

  /** How long until a token is there, in ms. */
  waitMs(name: string, limit: Limit): number {
    const now = this.#now();
    const aheadMs = this.#bucket(name, limit, now).fullAtMs - now;
    return Math.max(0, aheadMs + intervalMs(limit) - bucketMs(limit));
  }

  /** Gives back what was taken for something that was not done. */
  refund(name: string, limit: Limit, cost: number): void {
    const bucket = this.#buckets.get(name);
    if (bucket !== undefined && sameLimit(bucket.limit, limit))
      bucket.fullAtMs -= intervalMs(limit) * cost;
  }

  #bucket(name: string, limit: Limit, now: number): Bucket {
    const known = this.#buckets.get(name);
    if (known !== undefined && sameLimit(known.limit, limit)) {
      known.fullAtMs = Math.max(known.fullAtMs, now);
      return known;
    }
    const bucket = { limit, fullAtMs: now };
    this.#buckets.set(name, bucket);
    return bucket;
  }

  #forgetFull(now: number): void {
    for (const [name, { fullAtMs }] of this.#buckets)
      if (fullAtMs <= now) this.#buckets.delete(name);
  }
}

const sameLimit = (left: Limit, right: Limit): boolean =>
  left === right ||
  (left.requests === right.requests &&
    left.windowSeconds === right.windowSeconds &&
    left.burst === right.burst);

/** Between two requests at the sustained rate. */
export const intervalMs = ({ requests, windowSeconds }: Limit): number =>
  (windowSeconds * 1000) / requests;

export const burstOf = ({ requests, burst }: Limit): number => burst ?? requests;
export const bucketMs = (limit: Limit): number => burstOf(limit) * intervalMs(limit);

/** Sums of times are a little off: a token that is there but for a millionth is there, and ten seconds and as little more are ten. */
const nearly = 1e-6;
const tokensAt = (limit: Limit, aheadMs: number): number =>
  Math.max(0, Math.floor((bucketMs(limit) - aheadMs) / intervalMs(limit) + nearly));
const tokensOf = ({ limit, fullAtMs }: Bucket, now: number): number =>
  tokensAt(limit, fullAtMs - now);

/** A number that is waited and no longer refused: never rounded down, never 0. */
export const wholeSeconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));

/** What a bucket that is full again in `aheadMs` says after `granted` of `asked` were taken from it. */
export function verdictOf(limit: Limit, aheadMs: number, granted: number, asked: number): Verdict {
  return {
    allowed: granted > 0,
    granted,
    remaining: tokensAt(limit, aheadMs),
    resetSeconds: Math.max(0, Math.ceil(aheadMs / 1000 - nearly)),
    retryAfterSeconds:
      granted >= asked ? 0 : wholeSeconds(aheadMs + intervalMs(limit) - bucketMs(limit)),
  };
}
