import { expect, onTestFinished, test, vi } from "vitest";
import { createAlarm } from "../src/alarm.ts";

test("an alarm rings once, at the earliest of its times, and never again after it was canceled", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const ring = vi.fn<() => void>();
  const alarm = createAlarm(ring);
  alarm.at(Date.now() + 500);
  alarm.at(Date.now() + 100);
  vi.advanceTimersByTime(100);
  expect(ring).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1_000);
  expect(ring).toHaveBeenCalledTimes(1);
  alarm.at(Date.now() + 100);
  alarm.cancel();
  // Work that was under way when its owner closed asks once more.
  alarm.at(Date.now() + 100);
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(120_000);
  expect(ring).toHaveBeenCalledTimes(1);
});

test("a clock that is set back by an hour makes no alarm late", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const ring = vi.fn<() => void>();
  const alarm = createAlarm(ring);
  alarm.at(Date.now() + 200_000);
  vi.setSystemTime(Date.now() - 3_600_000);
  vi.advanceTimersByTime(199_999);
  expect(ring).toHaveBeenCalledTimes(0);
  vi.advanceTimersByTime(1);
  expect(ring).toHaveBeenCalledTimes(1);
});

test("an alarm that is given a further time after the clock was set back rings when the first of them comes", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const ring = vi.fn<() => void>();
  const alarm = createAlarm(ring);
  alarm.at(Date.now() + 30_000);
  vi.setSystemTime(Date.now() - 3_600_000);
  alarm.at(Date.now() + 600_000);
  vi.advanceTimersByTime(29_999);
  expect(ring).toHaveBeenCalledTimes(0);
  vi.advanceTimersByTime(1);
  expect(ring).toHaveBeenCalledTimes(1);
  // And a sooner one still rings sooner.
  alarm.at(Date.now() + 30_000);
  vi.setSystemTime(Date.now() - 3_600_000);
  alarm.at(Date.now() + 10_000);
  vi.advanceTimersByTime(10_000);
  expect(ring).toHaveBeenCalledTimes(2);
});
