import { testDatabase } from "@heliograph/testkit";
import pg from "pg";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { metricsRegister, isUnderWay, watchClock, watchSetBack } from "../src/index.ts";

let database: Awaited<ReturnType<typeof testDatabase>>;
let pool: pg.Pool;
beforeEach(async () => {
  database = await testDatabase();
  pool = new pg.Pool({ ...database.config, max: 1 });
});
afterEach(async () => {
  await pool.end();
  await database.drop();
});

test("a clock that differs from the database's is said once, measured, and said again when it is right", async () => {
  const lines: { level: number; seconds: number }[] = [];
  const logger = pino({ level: "info" }, { write: (line) => lines.push(JSON.parse(line)) });
  let offMs = 0;
  const clock = watchClock(pool, logger, () => Date.now() + offMs);
  await clock.look();
  expect(lines).toEqual([]);
  offMs = -3_600_000;
  await clock.look();
  await clock.look();
  expect(lines).toMatchObject([{ level: 40, seconds: expect.closeTo(3_600, 0) }]);
  const shown = await metricsRegister.getSingleMetricAsString("heliograph_clock_skew_seconds");
  expect(Number(/(-?[\d.]+)$/.exec(shown)![1])).toBeCloseTo(3_600, 0);
  offMs = 3_600_000;
  await clock.look();
  offMs = 0;
  await clock.look();
  expect(lines.slice(1)).toMatchObject([{ level: 30 }]);
  clock.close();
});

test("a clock that is set back is noticed once, by how much, and what began further ahead of now than it takes is over", () => {
  let [now, tick] = [5_000_000, 70];
  const setBack = watchSetBack(
    () => now,
    () => tick,
  );
  const pass = (ms: number): void => void ((now += ms), (tick += ms));
  pass(90_000);
  expect(setBack()).toBe(0);
  const since = now;
  pass(10_000);
  expect(isUnderWay(since, 10_001, now)).toBe(true);
  expect(isUnderWay(since, 10_000, now)).toBe(false);
  now -= 3_600_000;
  expect(isUnderWay(since, 10_001, now)).toBe(false);
  // As long as it takes may be the difference of two machines.
  expect(
    [since - now + 1, since - now, since - now - 1].map((forMs) => isUnderWay(since, forMs, now)),
  ).toEqual([true, true, false]);
  expect([isUnderWay(now + 60_000, 1, now), isUnderWay(now + 60_001, 1, now)]).toEqual([
    true,
    false,
  ]);
  expect([setBack(), setBack()]).toEqual([3_600_000, 0]);
  // Steered, or set forward.
  now -= 500;
  expect(setBack()).toBe(0);
  now += 3_600_000;
  expect(setBack()).toBe(0);
});
