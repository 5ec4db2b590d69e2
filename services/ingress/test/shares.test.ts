import { expect, test } from "vitest";
import { Shares } from "../src/messages/shares.ts";

test("who sends more than an even part exceeds it while others send, and who is silent for long is forgotten", () => {
  let now = 0;
  const shares = new Shares(() => now);
  shares.note("large", 500);
  expect([shares.exceeds("large"), shares.isModest("large")]).toEqual([false, false]);
  for (const name of ["a", "b", "c"]) shares.note(name, 10);
  expect(["large", "a", "nobody"].map((name) => shares.exceeds(name))).toEqual([
    true,
    false,
    false,
  ]);
  expect(["large", "a", "nobody"].map((name) => shares.isModest(name))).toEqual([
    false,
    true,
    true,
  ]);
  for (now = 1_000; now <= 12_000; now += 1_000) shares.note("large", 500);
  expect(shares.exceeds("large")).toBe(false);
});
