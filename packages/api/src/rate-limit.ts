/** What a partner may do: `requests` in `windowSeconds`, also as one burst. */
export type Limit = { readonly requests: number; readonly windowSeconds: number };
export type Verdict = {
  readonly allowed: boolean;
  /** Whole requests left now. */
  readonly remaining: number;
  /** Until the whole burst is there again. */
  readonly resetSeconds: number;
  /** 0 when allowed. */
  readonly retryAfterSeconds: number;
};

/** However much a partner was let send at once, it waits no longer than this for its next request. */
const maxDebtMs = 60_000;

/**
 * A token bucket in the form of GCRA (ITU-T I.371): one number per name, the time at which its bucket would be full again.
 * `cost` above one is charged in full even when only one token was left, so that a batch is let in like a request but pays for all of
 * its items. A restart starts with full buckets, so it allows at most one burst more, never an unlimited rate.
 */
export class RateLimiter {
  readonly #fullAtMs = new Map<string, number>();
  readonly #now: () => number;
  #calls = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  take(name: string, limit: Limit, cost = 1): Verdict {
    const now = this.#now();
    const fullAt = Math.max(this.#fullAtMs.get(name) ?? 0, now);
    const needed = fullAt + intervalMs(limit);
    const verdict = this.#take(name, limit, { now, fullAt, needed }, cost);
    if (++this.#calls % 10_000 === 0) this.#forgetFull(now);
    return verdict;
  }

  /**
   * Charges more for a request that was let in, once its size is known. Refused when others have taken the last token since: of many
   * that come at once only as many are let in as there is room for.
   */
  charge(name: string, limit: Limit, cost: number): Verdict {
    const now = this.#now();
    const fullAt = Math.max(this.#fullAtMs.get(name) ?? 0, now);
    return this.#take(name, limit, { now, fullAt, needed: fullAt }, cost);
  }

  /** Gives back what was taken for something that was not done. */
  refund(name: string, limit: Limit, cost: number): void {
    const fullAt = this.#fullAtMs.get(name);
    if (fullAt !== undefined) this.#fullAtMs.set(name, fullAt - intervalMs(limit) * cost);
  }

  /** All by one look at the clock: by a second one more than the whole burst would be left. */
  #take(
    name: string,
    limit: Limit,
    at: { readonly now: number; readonly fullAt: number; readonly needed: number },
    cost: number,
  ): Verdict {
    const { now, fullAt, needed } = at;
    const windowMs = limit.windowSeconds * 1000;
    const earliest = needed - windowMs;
    if (earliest > now)
      return {
        allowed: false,
        remaining: 0,
        resetSeconds: Math.ceil((fullAt - now) / 1000),
        retryAfterSeconds: Math.max(1, Math.ceil((earliest - now) / 1000)),
      };
    const next = Math.min(fullAt + intervalMs(limit) * cost, now + windowMs + maxDebtMs);
    this.#fullAtMs.set(name, next);
    return {
      allowed: true,
      remaining: Math.max(0, Math.floor((windowMs - (next - now)) / intervalMs(limit) + 1e-6)),
      resetSeconds: Math.ceil((next - now) / 1000),
      retryAfterSeconds: 0,
    };
  }

  #forgetFull(now: number): void {
    for (const [name, fullAt] of this.#fullAtMs) if (fullAt <= now) this.#fullAtMs.delete(name);
  }
}

const intervalMs = ({ requests, windowSeconds }: Limit): number =>
  (windowSeconds * 1000) / requests;
