import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { divideShards } from "../src/sharing.ts";

const copies = Array.from({ length: 5 }, () => randomUUID());
const counts = (owners: readonly string[], of: readonly string[]): readonly number[] =>
  of.map((copy) => owners.filter((owner) => owner === copy).length);

test("Copies have as many shards as each other, or one more, also where there are more copies than shards", () => {
  for (const shards of [1, 3, 8, 64])
    for (let count = 1; count <= copies.length; count++) {
      const some = copies.slice(0, count);
      const owned = counts(divideShards(some, shards), some);
      expect(owned.reduce((sum, each) => sum + each)).toBe(shards);
      expect(Math.max(...owned) - Math.min(...owned)).toBeLessThanOrEqual(1);
    }
});

test("Every copy comes to the same, whatever the order in which it was told of the others", () => {
  expect(divideShards(copies.toReversed(), 16)).toEqual(divideShards(copies, 16));
});

test("When a copy goes, most of what stays with the others stays where it was", () => {
  const before = divideShards(copies, 64);
  const after = divideShards(copies.slice(1), 64);
  const kept = before.filter((owner, shard) => owner !== copies[0] && owner === after[shard]);
  expect(kept.length).toBeGreaterThan(30);
});
