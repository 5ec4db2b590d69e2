import { RateLimiter, type SharedLimiter, type Verdict } from "@heliograph/runtime";
import fc from "fast-check";
import { expect, test } from "vitest";
import { burstOfRate, createBucket } from "../src/bucket.ts";
import { createSharedBucket } from "../src/shared-bucket.ts";

/** Most of these times, in order, in any `lengthMs`. */
function mostInWindow(times: readonly number[], lengthMs: number): number {
  let from = 0;
  let most = 0;
  for (const [index, time] of times.entries()) {
    while (times[from]! <= time - lengthMs) from++;
    most = Math.max(most, index - from + 1);
  }
  return most;
}

type Plan = {
  readonly perSecond: number;
  readonly copies: number;
  readonly latencyMs: number;
  /** How much each copy would send in a millisecond. */
  readonly demand: number;
  /** Every other so many milliseconds it has little to send, so that what it took ahead lies. */
  readonly restMs: number;
  /** A copy is killed each so many ms, with what it holds, and another starts. */
  readonly killEveryMs: number;
};

/** Copies of dispatch and the database they ask, in a time of their own. Gives when something was sent. */
async function play({ perSecond, copies, latencyMs, demand, restMs, killEveryMs }: Plan) {
  let now = 0;
  const database = new RateLimiter(() => now);
  let due: { readonly at: number; readonly run: () => void }[] = [];
  const limiter: Pick<SharedLimiter, "take" | "refund" | "waitMs"> = {
    take: (name, limit, count) =>
      new Promise<Verdict>((resolve) => {
        const verdict = database.take(name, limit, count);
        due.push({ at: now + latencyMs, run: () => resolve(verdict) });
      }),
    refund: (name, limit, count) => database.refund(name, limit, count),
    waitMs: (name, limit) => database.waitMs(name, limit),
  };
  const arrived = (): void => undefined;
  const monotonic = (): number => now;
  const start = () => createSharedBucket({ name: "g", perSecond, limiter, arrived, monotonic });
  const buckets = Array.from({ length: copies }, start);
  const sent: number[] = [];
  for (; now < 3_000; now++) {
    for (const { run } of due.filter(({ at }) => at <= now)) run();
    due = due.filter(({ at }) => at > now);
    await Promise.resolve();
    if (now % killEveryMs === killEveryMs - 1) buckets[now % copies] = start();
    const wanted = Math.floor(now / restMs) % 2 === 0 ? demand : now % 7 === 0 ? 1 : 0;
    for (const bucket of buckets)
      for (let left = wanted; left > 0 && bucket.has(now); left--) {
        bucket.take();
        sent.push(now);
      }
  }
  return sent;
}

test("in no second do the copies send more than the rate, a twentieth of it and the burst, whatever is killed; none of the rate is left lying when all are busy", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        perSecond: fc.constantFrom(1, 7, 20, 100, 1_000),
        copies: fc.integer({ min: 1, max: 4 }),
        latencyMs: fc.integer({ min: 1, max: 20 }),
        demand: fc.integer({ min: 1, max: 40 }),
        restMs: fc.constantFrom(30, 400, 900, 10_000),
        killEveryMs: fc.constantFrom(37, 150, 1_000, 10_000),
      }),
      async (plan) => {
        const sent = await play(plan);
        const { perSecond, restMs, killEveryMs } = plan;
        expect(mostInWindow(sent, 1_000)).toBeLessThanOrEqual(
          Math.floor(perSecond * 1.05 + burstOfRate(perSecond)),
        );
        if (killEveryMs === 10_000 && restMs === 10_000)
          expect(sent.length).toBeGreaterThanOrEqual(Math.floor(perSecond * 3 * 0.95));
      },
    ),
    { numRuns: 80 },
  );
});

test("who uses little takes little ahead, and gives back what lapses or is left when it ends", () => {
  let now = 0;
  const taken: number[] = [];
  const back: number[] = [];
  const bucket = createSharedBucket({
    name: "g",
    perSecond: 1_000,
    limiter: {
      take(_, __, count) {
        taken.push(count);
        return {
          allowed: true,
          granted: count,
          remaining: 0,
          resetSeconds: 0,
          retryAfterSeconds: 0,
        };
      },
      refund: (_, __, count) => void back.push(count),
      waitMs: () => 0,
    },
    arrived: () => undefined,
    monotonic: () => now,
  });
  const use = (count: number): void => {
    for (let left = count; left > 0; left--) if (bucket.has(now)) bucket.take();
  };
  use(70);
  // It doubles what it asks for, up to what the gateway takes in 25 ms.
  expect(taken).toEqual([1, 2, 4, 8, 16, 25, 25]);
  now = 60;
  use(1);
  expect(back).toEqual([11]);
  now = 200;
  use(1);
  now = 400;
  use(1);
  expect(taken.slice(7)).toEqual([14, 1, 1]);
  bucket.close();
  expect(back).toEqual([11, 13]);
});

test("who takes over alone begins with one token: its predecessor may have taken the burst a moment ago", () => {
  const sent: number[] = [];
  for (const from of [0, 1_300, 1_310]) {
    const bucket = createBucket(100, from);
    for (let now = from; now < (from === 0 ? 1_300 : from === 1_300 ? 1_310 : 3_000); now++)
      while (bucket.has(now)) {
        bucket.take();
        sent.push(now);
      }
  }
  expect(mostInWindow(sent, 1_000)).toBeLessThanOrEqual(105);
});
