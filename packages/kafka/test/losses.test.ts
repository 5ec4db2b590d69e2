import { expect, test } from "vitest";
import { takeStored, type Loss } from "../src/losses.ts";

const loss = (until: bigint): Loss => ({
  consumer: "tested",
  shard: undefined,
  after: until - 10n,
  until,
  events: 10,
});

test("what was read from the log is a loss once it is stored, and is said once", () => {
  const losses = [loss(10n), loss(20n), loss(30n)];
  expect(takeStored(losses, 9n)).toEqual([]);
  expect(takeStored(losses, 25n)).toEqual([loss(10n), loss(20n)]);
  expect(takeStored(losses, 25n)).toEqual([]);
  expect(takeStored(losses, 30n)).toEqual([loss(30n)]);
  expect(losses).toEqual([]);
});
