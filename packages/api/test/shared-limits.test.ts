import {
  giveBackToDay,
  type Limit,
  limitTables,
  openPool,
  prepareTables,
  readDay,
  SharedLimiter,
  takeFromBuckets,
  takeFromDays,
  type Verdict,
} from "@heliograph/runtime";
import { networkLink, testDatabase, until, type TestDatabase } from "@heliograph/testkit";
import type pg from "pg";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DailyLimits, type DayStore } from "../src/limits/daily-limits.ts";

const logger = pino({ level: "silent" });
let database: TestDatabase;
let pool: pg.Pool;
beforeAll(async () => {
  database = await testDatabase();
  pool = openPool(database.config, { name: "limits", max: 8, durable: false }, logger);
  await prepareTables(pool, [limitTables]);
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

/** One process's limiter. `clock` is how far its own clock is off. */
const limiterOf = (
  options: { readonly pool?: pg.Pool; readonly copies?: number; readonly clockMs?: number } = {},
): SharedLimiter =>
  new SharedLimiter({
    store: (asks) => takeFromBuckets(options.pool ?? pool, asks),
    copies: options.copies ?? 2,
    onAway: () => undefined,
    now: () => performance.now() + (options.clockMs ?? 0),
  });

/** As many callers as a busy process has, each with the next call as soon as it is answered, until the time is over. Gives how many were let through. */
async function hammer(limiter: SharedLimiter, name: string, limit: Limit, untilMs: number) {
  let allowed = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < untilMs) {
      const verdict = await limiter.take(name, limit, 1);
      expect(verdict.remaining).toBeGreaterThanOrEqual(0);
      if (verdict.granted === 1) allowed++;
      // The loop turns: a refusal from memory is answered at once.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all(Array.from({ length: 8 }, caller));
  return allowed;
}

/** Four rounds of three processes, each with its own clock and gone with what it had taken ahead when the next ones start. Gives what was let through, as a part of what the limit allows. */
async function share(name: string): Promise<number> {
  // A burst of half a second, so that a machine that is busy with something else loses no token.
  const limit = { requests: 1_000, windowSeconds: 1, burst: 500 };
  const begun = performance.now();
  let total = 0;
  for (let round = 0; round < 4; round++) {
    const until = performance.now() + 500;
    const counts = await Promise.all(
      [0, -10_000, 3_600_000].map((clockMs) => hammer(limiterOf({ clockMs }), name, limit, until)),
    );
    total += counts.reduce((sum, count) => sum + count, 0);
  }
  return total / (500 + (performance.now() - begun));
}

test("processes that are hammered, killed and started again share a limit to five in a hundred, whatever their clocks say", async () => {
  const shares: number[] = [];
  // A machine that stands still for longer than the burst lets tokens go by; one that lets too many through does so however busy it is.
  while (shares.length < 4 && !shares.some((each) => each >= 0.95))
    shares.push(await share(`hammered ${shares.length}`));
  expect(Math.max(...shares)).toBeGreaterThanOrEqual(0.95);
  expect(Math.max(...shares)).toBeLessThanOrEqual(1.05);
});

/** What a process that spends one token each millisecond for a second asks of its store, by a clock of its own. */
async function asksOf(limit: Limit): Promise<readonly number[]> {
  const asked: number[] = [];
  let now = 0;
  const limiter = new SharedLimiter({
    store: async (asks) => {
      asked.push(...asks.map((ask) => ask.asked));
      return new Map(
        asks.map(({ name, asked: granted }) => [name, { granted, charged: 0, ahead: 0 }]),
      );
    },
    copies: 2,
    onAway: () => undefined,
    now: () => now,
  });
  let granted = 0;
  for (; now < 1_000; now++) granted += (await limiter.take("busy", limit, 1)).granted;
  expect(granted).toBe(1_000);
  return asked;
}

test("a busy process asks some twenty times a second where its limit is wide, and takes a hundredth of a second's worth ahead at most", async () => {
  const wide = await asksOf({ requests: 1_000_000, windowSeconds: 1 });
  expect(wide.length).toBeLessThanOrEqual(30);
  expect(Math.max(...wide)).toBeLessThanOrEqual(101);
  const narrow = await asksOf({ requests: 2_000, windowSeconds: 1 });
  expect(Math.max(...narrow)).toBe(21);
  const slow = await asksOf({ requests: 50, windowSeconds: 1, burst: 1_000 });
  expect(slow).toEqual(Array<number>(1_000).fill(1));
});

test("a bucket gives exactly its burst, tells right numbers from the first call on, and a wait after which the next call passes", async () => {
  const limit = { requests: 10, windowSeconds: 10 };
  const limiters = [limiterOf(), limiterOf()];
  const verdicts: Verdict[] = [];
  for (let index = 0; index < 11; index++)
    verdicts.push(await limiters[index % 2]!.take("exact", limit, 1));
  expect(verdicts.map(({ granted }) => granted)).toEqual([...Array<number>(10).fill(1), 0]);
  expect(verdicts.map(({ remaining }) => remaining)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]);
  expect(verdicts[10]!.retryAfterSeconds).toBe(1);
  const refusedAt = performance.now();
  const short = { requests: 1, windowSeconds: 1 };
  expect(await limiters[0]!.take("short", short, 1)).toMatchObject({ granted: 1 });
  const refused = await limiters[1]!.take("short", short, 1);
  expect(refused).toMatchObject({ granted: 0, retryAfterSeconds: 1 });
  await until(() => performance.now() >= refusedAt + 1_010);
  for (const name of ["exact", "short"])
    expect(await limiters[1]!.take(name, name === "exact" ? limit : short, 1)).toMatchObject({
      granted: 1,
    });
});

test("charges in full once, refuses while there is a debt, and gives back", async () => {
  const limit = { requests: 10, windowSeconds: 1 };
  const limiter = limiterOf();
  await limiter.take("batch", limit, 1);
  const verdicts = await Promise.all([0, 1, 2].map(async () => limiter.charge("batch", limit, 99)));
  expect(verdicts.map(({ allowed }) => allowed)).toEqual([true, false, false]);
  expect(verdicts[1]!.retryAfterSeconds).toBe(9);
  limiter.refund("batch", limit, 99);
  expect(await limiter.take("batch", limit, 20)).toMatchObject({ granted: 9, remaining: 0 });
  expect(await limiter.look("batch", limit)).toMatchObject({ remaining: 0, granted: 0 });
  const other = { requests: 20, windowSeconds: 1 };
  expect(await limiter.take("batch", other, 30)).toMatchObject({ granted: 20 });
});

test("while the database is silent each process allows its part at once, and shares again when it is back", async () => {
  const { rows } = await pool.query("show port");
  const link = await networkLink({ target: Number(rows[0].port) });
  const away = openPool(
    { ...database.config, host: "127.0.0.1", port: link.port },
    { name: "away", max: 2, durable: false, patienceMs: 250 },
    logger,
  );
  try {
    const limit = { requests: 100, windowSeconds: 10, burst: 40 };
    const limiter = limiterOf({ pool: away, copies: 4 });
    expect(await limiter.take("away", limit, 1)).toMatchObject({ granted: 1 });
    link.weather({ silences: 1 });
    let allowed = 0;
    const slowest: number[] = [];
    for (let index = 0; index < 200; index++) {
      const from = performance.now();
      allowed += (await limiter.take("away", limit, 1)).granted;
      slowest.push(performance.now() - from);
    }
    // A quarter of the burst, and of what comes in the meantime.
    expect(allowed).toBeGreaterThanOrEqual(10);
    expect(allowed).toBeLessThanOrEqual(13);
    expect(slowest.filter((ms) => ms > 100).length).toBeLessThanOrEqual(1);
    link.weather({ silences: 0 });
    await until(async () => {
      const { remaining } = await limiter.take("away", limit, 1);
      return remaining > 20;
    });
  } finally {
    await away.end();
    await link.close();
  }
});

const dayStore = (give = true): DayStore => ({
  take: (asks) => takeFromDays(pool, asks),
  look: (partner, most) => readDay(pool, partner, most),
  giveBack: async (partner, day, count) =>
    give ? giveBackToDay(pool, partner, day, count) : undefined,
});

test("a day is never exceeded by processes that are killed and started, and used up by those that stop", async () => {
  const most = 2_000;
  const spend = async (days: DailyLimits, partner: string, count: number): Promise<number> => {
    const all = await Promise.all(
      Array.from({ length: count }, async () => (await days.take(partner, most, 1)).granted),
    );
    return all.reduce((sum, granted) => sum + granted, 0);
  };
  for (const [partner, killed] of [
    ["ptn_stopped", false],
    ["ptn_killed", true],
  ] as const) {
    let total = 0;
    for (let round = 0; round < 6; round++) {
      const days = [0, 1].map(() => new DailyLimits(dayStore()));
      const counts = await Promise.all(days.map((each) => spend(each, partner, 250)));
      total += counts[0]! + counts[1]!;
      if (!killed) await Promise.all(days.map((each) => each.close()));
    }
    expect(total).toBeLessThanOrEqual(most);
    expect(total).toBeGreaterThanOrEqual(killed ? most * 0.9 : most);
    const look = await new DailyLimits(dayStore()).look(partner, most);
    expect(look.remaining).toBe(0);
    expect(look.resetSeconds).toBeLessThanOrEqual(86_400);
  }
});
