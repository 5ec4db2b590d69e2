import { expect, test } from "vitest";
import { Shares } from "../src/messages/shares.ts";

test("whoever sends more than three times what all others do floods, while they send", () => {
  let now = 0;
  const shares = new Shares(() => now);
  shares.note("large", 500);
  expect(shares.floods("large")).toBe(false);
  for (const name of ["a", "b", "c"]) shares.note(name, 10);
  expect(["large", "a", "nobody"].map((name) => shares.floods(name))).toEqual([true, false, false]);
  shares.note("second", 500);
  expect(["large", "second"].map((name) => shares.floods(name))).toEqual([false, false]);
  // The others have long been silent.
  for (now = 1_000; now <= 12_000; now += 1_000) shares.note("large", 500);
  expect(shares.floods("large")).toBe(false);
});
