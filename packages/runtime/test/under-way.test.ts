import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { UnderWay } from "../src/index.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Whether it has resolved by now. */
function watched(gap: Promise<void>): () => Promise<boolean> {
  let over = false;
  void gap.then(() => (over = true));
  return async () => {
    await vi.advanceTimersByTimeAsync(0);
    return over;
  };
}

test("a gap is where no send is under way: at once, or when the last of them is over", async () => {
  const sends = new UnderWay();
  await sends.gap(100);
  const [one, other] = [sends.begin(), sends.begin()];
  const found = watched(sends.gap(100));
  one();
  expect(await found()).toBe(false);
  other();
  expect(await found()).toBe(true);
});

test("one that takes long is made room for no more, one that came since is, and nobody waits for longer than he says", async () => {
  const sends = new UnderWay();
  const slow = sends.begin();
  const found = watched(sends.gap(100));
  await vi.advanceTimersByTimeAsync(15);
  const quick = sends.begin();
  await vi.advanceTimersByTimeAsync(10);
  expect(await found()).toBe(false);
  const bounded = watched(sends.gap(5));
  await vi.advanceTimersByTimeAsync(5);
  expect(await bounded()).toBe(true);
  quick();
  await vi.advanceTimersByTimeAsync(5);
  expect(await found()).toBe(true);
  slow();
  // However long one says: sends that follow each other without an end keep it up for 200 ms.
  sends.begin();
  const endless = watched(sends.gap(10_000));
  for (let ms = 0; ms < 195; ms += 5) {
    sends.begin();
    await vi.advanceTimersByTimeAsync(5);
  }
  expect(await endless()).toBe(false);
  sends.begin();
  await vi.advanceTimersByTimeAsync(5);
  expect(await endless()).toBe(true);
});
