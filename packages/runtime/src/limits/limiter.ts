import type { Limit, RateLimiter, Verdict } from "./rate-limit.ts";

/** Counts what names have used of their limits; at once where it does so in memory. */
export interface Limiter {
  /** Takes as many of `count` as there are. */
  take(name: string, limit: Limit, count: number): Verdict | Promise<Verdict>;
  /** Takes `cost` in full, into debt if need be; nothing where there is a debt already. */
  charge(name: string, limit: Limit, cost: number): Verdict | Promise<Verdict>;
  /** What is left. Takes nothing. */
  look(name: string, limit: Limit): Verdict | Promise<Verdict>;
  /** Gives back what was taken for something that was not done. */
  refund(name: string, limit: Limit, count: number): void;
  close(): Promise<void>;
}

/** Of one process: exact while it is the only one that serves. */
export const memoryLimiter = (limiter: RateLimiter): Limiter => ({
  take: (name, limit, count) => limiter.take(name, limit, count),
  charge: (name, limit, cost) => limiter.charge(name, limit, cost),
  look: (name, limit) => limiter.look(name, limit),
  refund: (name, limit, count) => limiter.refund(name, limit, count),
  close: async () => undefined,
});
