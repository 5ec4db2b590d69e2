import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { makeKey, parseKey } from "../src/keys.ts";

test("a key says which environment it belongs to", () => {
  expect(makeKey("live", randomBytes)).toMatch(/^ak_live_[0-9A-Za-z]{36}$/);
  expect(parseKey(makeKey("live", randomBytes))).toBe("live");
  expect(parseKey(makeKey("sandbox", randomBytes))).toBe("sandbox");
});

test("any one wrong character is found by the checksum", () => {
  const key = makeKey("sandbox", randomBytes);
  for (let at = 8; at < key.length; at++)
    expect(
      parseKey(key.slice(0, at) + (key[at] === "x" ? "y" : "x") + key.slice(at + 1)),
    ).toBeUndefined();
  for (const text of [
    "",
    "ak_test_",
    key.slice(0, -1),
    `${key}0`,
    key.replace("ak_test_", "ak_live_"),
    key.replace("ak_test_", "ak_prod_"),
    `${key}\n`,
  ])
    expect(parseKey(text)).toBeUndefined();
});

test("bytes that would favour some characters are skipped, the same bytes make the same key", () => {
  const derive = (size: number) =>
    Buffer.from(Array.from({ length: size }, (_, index) => (index % 2 ? 255 : index)));
  expect(makeKey("live", derive)).toBe(makeKey("live", derive));
  const counts = new Map<string, number>();
  for (let index = 0; index < 2_000; index++)
    for (const character of makeKey("live", randomBytes).slice(8, 38))
      counts.set(character, (counts.get(character) ?? 0) + 1);
  // 60,000 characters, 968 expected of each; six standard deviations are 187.
  expect(counts.size).toBe(62);
  for (const count of counts.values()) expect(Math.abs(count - 968)).toBeLessThan(187);
});
