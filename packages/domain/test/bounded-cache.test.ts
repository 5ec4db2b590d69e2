import { expect, it } from "vitest";
import { boundedCache } from "@heliograph/domain";

it("A bounded cache keeps what is used and never holds more than twice its capacity", () => {
  const cache = boundedCache<number, string>(10);
  cache.set(0, "kept");
  for (let key = 1; key < 1000; key++) {
    cache.set(key, String(key));
    expect(cache.get(0)).toBe("kept");
    expect(cache.size).toBeLessThanOrEqual(20);
  }
  expect(cache.get(1)).toBeUndefined();
  cache.delete(0);
  expect(cache.get(0)).toBeUndefined();
});
