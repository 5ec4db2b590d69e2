import type { Limit, SharedLimiter } from "@heliograph/runtime";
import { burstOfRate, type Bucket } from "./bucket.ts";

/** Permits that were taken ahead lapse after this: what a window of a second may have too much is a twentieth. */
const LEASE_MS = 50;
/** Most that is taken ahead, in time at the gateway's rate: what a copy takes with it when it is killed. */
const MOST_MS = 25;

/**
 * The bucket of a gateway that several copies of dispatch use: permits are taken ahead from the copies' common bucket, a few at a time, as many as this copy uses, and given back
 * when they lapse. It asks when it is looked at and has none; `arrived` tells of the answer. What holds while the database does not answer is the limiter's concern.
 */
export function createSharedBucket(options: {
  readonly name: string;
  readonly perSecond: number;
  readonly limiter: Pick<SharedLimiter, "take" | "refund" | "waitMs">;
  readonly arrived: () => void;
  /** A clock that never goes back, ms. */
  readonly monotonic: () => number;
}): Bucket {
  const { name, perSecond, limiter, arrived, monotonic } = options;
  const limit: Limit = { requests: perSecond, windowSeconds: 1, burst: burstOfRate(perSecond) };
  const most = Math.max(1, Math.floor((perSecond * MOST_MS) / 1000));
  let permits = 0;
  let lapsesAt = 0;
  let asked = 0;
  let spent = 0;
  let asking = false;
  let notBefore = 0;
  let closed = false;

  function giveBack(): void {
    if (permits > 0) limiter.refund(name, limit, permits);
    permits = 0;
  }
  function settle(granted: number, askedAt: number): void {
    const at = monotonic();
    permits += granted;
    // An answer that was long under way is still good for something.
    lapsesAt = Math.max(askedAt + LEASE_MS, at + LEASE_MS / 2);
    notBefore = granted > 0 ? 0 : at + limiter.waitMs(name, limit);
    if (closed) giveBack();
  }
  function ask(at: number): void {
    if (asking || closed || at < notBefore) return;
    asked = Math.min(most, Math.max(1, at < lapsesAt ? asked * 2 : spent));
    spent = 0;
    const verdict = limiter.take(name, limit, asked);
    if (!(verdict instanceof Promise)) return settle(verdict.granted, at);
    asking = true;
    void verdict.then(({ granted }) => {
      asking = false;
      settle(granted, at);
      arrived();
    });
  }

  return {
    has() {
      const at = monotonic();
      if (at >= lapsesAt) giveBack();
      if (permits === 0) ask(at);
      return permits > 0;
    },
    take() {
      permits--;
      spent++;
    },
    nextAt(at) {
      if (permits > 0 || asking) return at;
      return at + Math.max(0, Math.ceil(notBefore - monotonic()));
    },
    get asking() {
      return asking;
    },
    close() {
      closed = true;
      giveBack();
    },
  };
}
