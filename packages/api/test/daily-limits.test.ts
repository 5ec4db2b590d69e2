import { expect, test } from "vitest";
import { DailyLimits, type DayStore } from "../src/limits/daily-limits.ts";

/** A store of one partner whose day the test ends; answers when it is let. */
function openStore(most: number) {
  const state = { day: "2026-11-29", taken: 0, until: undefined as Promise<void> | undefined };
  const store: DayStore = {
    async take(asks) {
      await state.until;
      return new Map(
        asks.map(({ partner, asked }) => {
          const granted = Math.min(asked, most - state.taken);
          state.taken += granted;
          const left = most - state.taken;
          return [partner, { granted, left, day: state.day, secondsLeft: 60 }];
        }),
      );
    },
    look: async () => ({ granted: 0, left: most - state.taken, day: state.day, secondsLeft: 60 }),
    giveBack: async () => undefined,
  };
  return { state, store };
}

test("what was taken of a day that is over does not go to the next one", async () => {
  const { state, store } = openStore(100);
  let now = 0;
  const limits = new DailyLimits(store, () => now);
  const before = await limits.take("ptn_a", 100, 60);
  now = 61_000;
  Object.assign(state, { day: "2026-11-30", taken: 0 });
  await limits.take("ptn_a", 100, 1);
  limits.refund("ptn_a", 100, before.day, 60);
  expect((await limits.take("ptn_a", 100, 99)).granted).toBe(99);
  expect((await limits.take("ptn_a", 100, 1)).granted).toBe(0);
  // Of the day that it is, it goes back.
  limits.refund("ptn_a", 100, "2026-11-30", 2);
  expect((await limits.take("ptn_a", 100, 3)).granted).toBe(2);
});

test("what is counted on while the store is asked nobody else spends", async () => {
  const { state, store } = openStore(1_000);
  const limits = new DailyLimits(store, () => 0);
  const { day } = await limits.take("ptn_a", 1_000, 150);
  limits.refund("ptn_a", 1_000, day, 150);
  let letGo = (): void => undefined;
  state.until = new Promise((resolve) => (letGo = resolve));
  const [first, second] = [limits.take("ptn_a", 1_000, 200), limits.take("ptn_a", 1_000, 150)];
  letGo();
  expect((await first).granted).toBe(200);
  expect((await second).granted).toBe(150);
});

test("what was set apart is there again when the store does not answer", async () => {
  const { state, store } = openStore(1_000);
  const limits = new DailyLimits(store, () => 0);
  const { day } = await limits.take("ptn_a", 1_000, 50);
  limits.refund("ptn_a", 1_000, day, 50);
  state.until = Promise.reject(new Error("away"));
  await expect(limits.take("ptn_a", 1_000, 200)).rejects.toThrow("away");
  expect((await limits.take("ptn_a", 1_000, 50)).granted).toBe(50);
});
