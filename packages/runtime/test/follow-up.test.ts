import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FollowUp } from "../src/follow-up.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** When it was done, ms from now; undefined while it is not. */
function doneAfter(followUp: FollowUp, mostMs = 1_000) {
  const began = performance.now();
  const seen: { after?: number } = {};
  void followUp.done(mostMs).then(() => (seen.after = performance.now() - began));
  return seen;
}

test("a few events are nothing to wait for, more are until they are done, by whichever consumers", async () => {
  const followUp = new FollowUp();
  const behind = { live: 100, sandbox: 0 };
  followUp.add(() => behind.live);
  const forget = followUp.add(() => behind.sandbox);
  const few = doneAfter(followUp);
  await vi.advanceTimersByTimeAsync(0);
  expect(few.after).toBe(0);
  behind.sandbox = 101;
  const much = doneAfter(followUp);
  await vi.advanceTimersByTimeAsync(50);
  expect(much.after).toBeUndefined();
  behind.sandbox = 100;
  await vi.advanceTimersByTimeAsync(2);
  expect(much.after).toBe(52);
  behind.sandbox = 101;
  forget();
  const gone = doneAfter(followUp);
  await vi.advanceTimersByTimeAsync(0);
  expect(gone.after).toBe(0);
});

test("who stands still is waited for no longer than is asked for, and than 200 ms", async () => {
  const followUp = new FollowUp();
  followUp.add(() => 1_000_000);
  const done = doneAfter(followUp);
  await vi.advanceTimersByTimeAsync(199);
  expect(done.after).toBeUndefined();
  await vi.advanceTimersByTimeAsync(3);
  expect(done.after).toBe(200);
  const sooner = doneAfter(followUp, 50);
  await vi.advanceTimersByTimeAsync(49);
  expect(sooner.after).toBeUndefined();
  await vi.advanceTimersByTimeAsync(3);
  expect(sooner.after).toBe(50);
});
