import { expect, test } from "vitest";
import type { Entry } from "../src/record.ts";
import { append, covers, empty, from, halve, newRing, type Ring } from "../src/ring.ts";

const entry = (offset: bigint, bytes = 10): Entry => ({
  offset,
  bytes,
  position: offset,
  previous: offset - 1n,
  shard: 0,
  shardPrevious: offset - 1n,
  type: "Tested",
  event: () => {
    throw new Error("nobody asked for it");
  },
});
const offsets = (ring: Ring, at: bigint): number[] =>
  from(ring, at).map(({ offset }) => Number(offset));

test("a ring gives what follows an offset, past the offsets of records that are none of ours", () => {
  const ring = newRing(100n);
  append(ring, [entry(100n), entry(101n), entry(104n)], 107n);
  append(ring, [entry(107n)], 108n);
  expect(offsets(ring, 100n)).toEqual([100, 101, 104, 107]);
  expect(offsets(ring, 102n)).toEqual([104, 107]);
  expect(offsets(ring, 105n)).toEqual([107]);
  expect(offsets(ring, 108n)).toEqual([]);
});

test("a ring covers its end, where the next record will be, and nothing before its start or beyond", () => {
  const ring = newRing(100n);
  expect([covers(ring, 99n), covers(ring, 100n), covers(ring, 101n)]).toEqual([false, true, false]);
  append(ring, [entry(100n), entry(101n)], 102n);
  expect([covers(ring, 100n), covers(ring, 102n), covers(ring, 103n)]).toEqual([true, true, false]);
});

test("a ring that was halved or emptied begins at the oldest record that it still has, or at the next", () => {
  const ring = newRing(0n);
  append(ring, [entry(0n, 1_000), entry(1n), entry(2n), entry(5n)], 6n);
  halve(ring);
  expect([ring.start, ring.end, ring.bytes]).toEqual([2n, 6n, 20]);
  expect([covers(ring, 1n), covers(ring, 2n)]).toEqual([false, true]);
  halve(ring);
  halve(ring);
  expect([ring.start, ring.end, ring.bytes]).toEqual([6n, 6n, 0]);
  append(ring, [entry(6n)], 7n);
  expect(offsets(ring, 6n)).toEqual([6]);
  empty(ring);
  expect([ring.start, ring.end, ring.bytes, offsets(ring, 0n)]).toEqual([7n, 7n, 0, []]);
});
