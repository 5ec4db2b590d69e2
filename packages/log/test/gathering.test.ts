import { setTimeout as pause } from "node:timers/promises";
import { testDatabase } from "@heliograph/testkit";
import { expect, test, vi } from "vitest";
import { openPostgresLog } from "../src/index.ts";
import { Gathering } from "../src/gathering.ts";
import { newStream } from "./support.ts";

const stepMs = 0.1;
const flushMs = 1;
/** While it is learned who comes, waits are tried. */
const learningMs = 1_000;

/** A random number for each call, the same ones every time. */
function numbers(): () => number {
  let state = 1;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/** Calls that come on their own: so many a second, at any time. */
const open = (perSecond: number) => {
  const random = numbers();
  const comes = (): number => (random() < (perSecond * stepMs) / 1_000 ? 1 : 0);
  return { comes, answered: () => undefined };
};

/** Callers who append again as soon as they have an answer. */
function closed(callers: number) {
  let free = callers;
  return {
    comes() {
      const coming = free;
      free = 0;
      return coming;
    },
    answered: (calls: number) => void (free += calls),
  };
}

/** Three seconds of a log: how many calls share a flush, how long one waits for its flush, and how many were made a second. */
function run(calls: ReturnType<typeof closed>) {
  const gathering = new Gathering(() => undefined);
  const waited: number[] = [];
  let waiting: number[] = [];
  let flight: { readonly calls: number; readonly until: number } | undefined;
  let flushes = 0;
  const endMs = 3_000;
  for (let now = 0; now < endMs; now += stepMs) {
    if (flight !== undefined && now >= flight.until) {
      calls.answered(flight.calls);
      flight = undefined;
    }
    for (let coming = calls.comes(); coming > 0; coming--) {
      gathering.called(now);
      waiting.push(now);
    }
    if (flight !== undefined || waiting.length === 0) continue;
    if (gathering.waitMs(waiting.length, now) > 0) continue;
    if (now >= learningMs) {
      flushes++;
      waited.push(...waiting.map((since) => now - since));
    }
    flight = { calls: waiting.length, until: now + flushMs };
    waiting = [];
  }
  const sum = waited.reduce((all, ms) => all + ms, 0);
  return {
    shared: waited.length / flushes,
    meanMs: sum / waited.length,
    longestMs: waited.reduce((longest, ms) => Math.max(longest, ms), 0),
    perSecond: waited.length / ((endMs - learningMs) / 1_000),
  };
}

test("at some hundred and some thousand calls a second several share a flush, and none waits for long", () => {
  for (const [perSecond, atLeast] of [
    [600, 3],
    [800, 4],
    [1_200, 5],
    [3_000, 5],
  ] as const) {
    const { shared, longestMs } = run(open(perSecond));
    expect(shared).toBeGreaterThan(atLeast);
    expect(longestMs).toBeLessThan(12);
  }
});

test("where few calls come, or very many, nobody waits for company", () => {
  for (const perSecond of [100, 200, 10_000]) {
    const { meanMs } = run(open(perSecond));
    // Who comes while a flush is under way waits for the rest of it.
    expect(meanMs).toBeLessThan(0.7 * flushMs);
  }
});

test("callers who append again in the moment that they are answered lose next to nothing by it", () => {
  for (const callers of [1, 2, 3, 6, 64]) {
    const unpaced = (callers * 1_000) / (flushMs + stepMs);
    const { perSecond } = run(closed(callers));
    expect(perSecond / unpaced).toBeGreaterThan(0.95);
  }
});

/** A thousand calls a second, of which flushes of seven are made, until one waits for company; gives the time. */
function busy(gathering: Gathering): number {
  for (let now = 0; now < 1_000; now += 1) {
    gathering.called(now);
    gathering.waitMs(7, now);
  }
  expect(gathering.waitMs(1, 1_000)).toBe(10);
  return 1_000;
}

test("a flush goes alone again when those who came no longer come", () => {
  const gathering = new Gathering(() => undefined);
  const now = busy(gathering);
  expect(gathering.waitMs(1, now + 10)).toBe(0);
  expect(gathering.waitMs(1, now + 12)).toBe(0);
});

test("while crowds come nobody waits, and a while after them as before", () => {
  const gathering = new Gathering(() => undefined);
  let now = busy(gathering);
  gathering.called(now, true);
  expect(gathering.waitMs(1, now)).toBe(0);
  for (const end = now + 240; now < end; now += 1) {
    gathering.called(now);
    expect(gathering.waitMs(1, now)).toBe(0);
  }
  for (const end = now + 100; now < end; now += 1) {
    gathering.called(now);
    gathering.waitMs(7, now);
  }
  expect(gathering.waitMs(1, now)).toBeGreaterThan(0);
});

test("what nobody waits for goes with whatever somebody does, and by itself after a while", () => {
  let now = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
  try {
    const gathering = new Gathering(() => undefined);
    expect(gathering.waits(0, 1)).toBe(true);
    now += 15;
    expect(gathering.waits(0, 2)).toBe(true);
    expect(gathering.waits(1, 2)).toBe(false);
    // From here on another waits.
    expect(gathering.waits(0, 1)).toBe(true);
    now += 15;
    expect(gathering.waits(0, 1)).toBe(true);
    now += 5;
    expect(gathering.waits(0, 1)).toBe(false);
  } finally {
    clock.mockRestore();
  }
});

test("an append to a log waits for the next where they come a few milliseconds apart, but not beside crowds", async () => {
  const database = await testDatabase();
  let flushes = 0;
  const watch = { opened: () => undefined, flushed: () => void flushes++ };
  const connection = database.config;
  const log = await openPostgresLog({ connection, namespace: "test", watch });
  let now = performance.now();
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
  const appended: Promise<unknown>[] = [];
  const append = (): void => {
    now += 2;
    appended.push(log.append([newStream()]));
  };
  const appendThirty = async (): Promise<void> => {
    for (let n = 0; n < 30; n++) {
      append();
      // Long enough for a flush to begin.
      await pause(2);
    }
  };
  try {
    for (let n = 0; n < 300; n++) append();
    await Promise.all(appended);
    flushes = 0;
    await appendThirty();
    // Nobody comes after the last, and time goes on.
    clock.mockImplementation(() => (now += 5));
    await Promise.all(appended);
    expect(flushes).toBeLessThan(15);
    clock.mockImplementation(() => now);
    await appendThirty();
    // Time stands still: what waits for others would do so for ever.
    await Promise.all([...appended, log.append([{ ...newStream(), crowded: true }])]);
    flushes = 0;
    const patient = log.append([{ ...newStream(), patient: true }]);
    await pause(2);
    expect(flushes).toBe(0);
    await Promise.all([patient, log.append([newStream()])]);
    expect(flushes).toBe(1);
    clock.mockImplementation(() => (now += 5));
    await log.append([{ ...newStream(), patient: true }]);
  } finally {
    clock.mockRestore();
    await log.close();
    await database.drop();
  }
});
