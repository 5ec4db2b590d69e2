import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { Refusals } from "../src/refusals.ts";
import { divideShards } from "../src/sharing.ts";

const copies = Array.from({ length: 5 }, () => ({ id: randomUUID(), refused: [] as number[] }));
const counts = (owners: readonly string[], of: typeof copies): readonly number[] =>
  of.map(({ id }) => owners.filter((owner) => owner === id).length);

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
  const kept = before.filter((owner, shard) => owner !== copies[0]!.id && owner === after[shard]);
  expect(kept.length).toBeGreaterThan(30);
});

test("A shard that its copy refuses goes to one that does not, where there is any; nothing else moves", () => {
  const before = divideShards(copies, 16);
  const [failing, ...others] = copies;
  const refused = before.flatMap((owner, shard) => (owner === failing!.id ? [shard] : []));
  const after = divideShards([{ ...failing!, refused }, ...others], 16);
  for (const [shard, owner] of before.entries())
    if (owner === failing!.id) expect(after[shard]).not.toBe(owner);
    else expect(after[shard]).toBe(owner);
  expect(
    divideShards(
      copies.map((copy) => ({ ...copy, refused })),
      16,
    ),
  ).toEqual(before);
});

test("A shard is refused when it has failed for fifteen seconds, for a minute and then longer, until it runs; failures that are far apart are no reason", () => {
  const refusals = new Refusals();
  const second = 1_000;
  const failAt = (at: number): boolean => refusals.failed(3, at * second);
  expect([0, 1, 14].map(failAt)).toEqual([false, false, false]);
  expect(failAt(15)).toBe(true);
  expect([16, 74, 75].map((at) => refusals.refused(at * second))).toEqual([[3], [3], []]);
  // Nobody else can run it either.
  expect(failAt(60)).toBe(false);
  expect(failAt(75)).toBe(true);
  expect([194, 195].map((at) => refusals.refused(at * second))).toEqual([[3], []]);
  refusals.sound(3);
  expect([300, 331, 345].map(failAt)).toEqual([false, false, false]);
  refusals.excuse();
  expect([350, 360].map(failAt)).toEqual([false, false]);
  expect(refusals.refused(360 * second)).toEqual([]);
});
