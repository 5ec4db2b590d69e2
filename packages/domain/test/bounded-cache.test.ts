import { expect, it } from "vitest";
import { boundedCache } from "@heliograph/domain";

const count = (cache: { get(key: number): unknown }, keys: number): number =>
  Array.from({ length: keys }, (_, key) => cache.get(key)).filter((value) => value !== undefined)
    .length;

it("A bounded cache keeps what is used and never holds more than twice its capacity", () => {
  const cache = boundedCache<number, string>(10);
  cache.set(0, "kept");
  for (let key = 1; key < 1000; key++) {
    cache.set(key, String(key));
    expect(cache.get(0)).toBe("kept");
  }
  expect(cache.get(1)).toBeUndefined();
  expect(count(cache, 1000)).toBeLessThanOrEqual(20);
  cache.delete(0);
  expect(cache.get(0)).toBeUndefined();
});

it("A cache with weights is bounded by them, however large the values are", () => {
  const cache = boundedCache<number, string>(1_000, (value) => value.length);
  for (let key = 0; key < 100; key++) cache.set(key, "x".repeat(300));
  let held = 0;
  for (let key = 0; key < 100; key++) held += (cache.get(key) ?? "").length;
  expect(held).toBeGreaterThan(300);
  expect(held).toBeLessThanOrEqual(2_000);
});

it("A value that is replaced or deleted gives its weight back", () => {
  const cache = boundedCache<number, string>(1_000, (value) => value.length);
  cache.set(1, "kept");
  for (let round = 0; round < 100; round++) {
    cache.set(2, "x".repeat(400));
    cache.set(3, "x".repeat(400));
    cache.delete(3);
  }
  expect(cache.get(1)).toBe("kept");
});

it("A value heavier than the whole cache is not kept, nor is the one it replaces, and the others stay", () => {
  const cache = boundedCache<number, string>(1_000, (value) => value.length);
  cache.set(1, "small");
  cache.set(2, "before");
  cache.set(2, "x".repeat(1_001));
  expect([cache.get(1), cache.get(2)]).toEqual(["small", undefined]);
});
