import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { easePressure } from "../src/index.ts";
import type { ConsumerStatus } from "../src/status.ts";

const log = { span: (after: bigint, to: bigint): number => Math.max(0, Number(to - after)) };
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A consumer that runs and is so many events behind. */
const behind = (events: number, changes: Partial<ConsumerStatus> = {}): ConsumerStatus =>
  ({
    state: "running",
    sharded: false,
    position: 1_000n,
    head: 1_000n + BigInt(events),
    behindSince: undefined,
    ...changes,
  }) as ConsumerStatus;

/** How long an accept is held up, in ms. */
async function heldUpMs(...statuses: ConsumerStatus[]): Promise<number> {
  const began = Date.now();
  let over: number | undefined;
  const eased = easePressure(log, statuses);
  if (eased === undefined) return 0;
  void eased.then(() => (over = Date.now() - began));
  for (let ms = 0; ms < 2_000 && over === undefined; ms++) await vi.advanceTimersByTimeAsync(1);
  return over!;
}

test("an accept is not held up while the consumers are at most 4,000 events behind", async () => {
  expect(await heldUpMs()).toBe(0);
  expect(await heldUpMs(behind(0), behind(4_000))).toBe(0);
});

test("an accept waits the longer the further they are behind, and never longer than half a second", async () => {
  expect(await heldUpMs(behind(8_000))).toBe(125);
  expect(await heldUpMs(behind(12_000))).toBe(250);
  expect(await heldUpMs(behind(20_000))).toBe(500);
  expect(await heldUpMs(behind(1_000_000))).toBe(500);
});

test("the slowest decides, measured by the newest head that any of them has seen", async () => {
  const stale = behind(0, { head: 1_000n });
  const ahead = behind(0, { position: 13_000n, head: 13_000n });
  expect(await heldUpMs(ahead, stale)).toBe(250);
});

test("a shard is behind its own last event, not behind that of all", async () => {
  const shard = behind(8_000, { sharded: true });
  const ahead = behind(0, { position: 50_000n, head: 50_000n });
  expect(await heldUpMs(shard, ahead)).toBe(125);
});

test("one that does not run, or stands still for more than five seconds, holds nobody up", async () => {
  expect(await heldUpMs(behind(20_000, { state: "backing_off" }))).toBe(0);
  expect(await heldUpMs(behind(20_000, { behindSince: Date.now() - 5_001 }))).toBe(0);
  expect(await heldUpMs(behind(20_000, { behindSince: Date.now() - 5_000 }))).toBe(500);
});

test("one that rests, or has just rested, holds nobody up for what came meanwhile", async () => {
  const rested = behind(20_000, { restsUntil: performance.now() + 1_500 });
  expect(await heldUpMs(rested)).toBe(0);
  await vi.advanceTimersByTimeAsync(1_500);
  expect(await heldUpMs(rested)).toBe(500);
  expect(await heldUpMs(behind(8_000), { ...rested, restsUntil: Infinity })).toBe(125);
});
