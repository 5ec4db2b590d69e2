import { expect, test } from "vitest";
import { HeavyRanges } from "../src/postgres/page.ts";

test("who goes on behind a heavy page, or reads it again, expects another; who reads elsewhere does not", () => {
  const heavy = new HeavyRanges();
  heavy.add(1_000n, 1_009n, 500);
  expect([999n, 1_000n, 1_009n, 1_509n, 1_510n].map((after) => heavy.has(after, 500))).toEqual([
    false,
    true,
    true,
    true,
    false,
  ]);
  // One reader's light pages do not take away what another one knows.
  expect(heavy.has(90_000n, 500)).toBe(false);
  expect(heavy.has(1_009n, 500)).toBe(true);
});

test("pages in a row are one range, and the oldest of too many is forgotten", () => {
  const heavy = new HeavyRanges();
  for (let page = 0n; page < 1_000n; page++) heavy.add(page * 10n, page * 10n + 10n, 500);
  expect(heavy.has(0n, 500)).toBe(true);
  for (let number = 1n; number < BigInt(HeavyRanges.most); number++)
    heavy.add(number * 1_000_000n, number * 1_000_000n, 500);
  expect(heavy.has(0n, 500)).toBe(true);
  heavy.add(90_000_000_000n, 90_000_000_000n, 500);
  expect(heavy.has(0n, 500)).toBe(false);
  expect(heavy.has(1_000_000n, 500)).toBe(true);
});
