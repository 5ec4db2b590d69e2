import { expect, test } from "vitest";
import { FairStarts } from "../src/fair-starts.ts";

function open(limits = { perTurn: 8, waitingPerName: 1_000, waiting: 1_005 }) {
  const turns: (() => void)[] = [];
  const starts = new FairStarts(limits, (next) => turns.push(next));
  const begun: string[] = [];
  const enter = (name: string): void => {
    const entered = starts.enter(name);
    if (entered === undefined) begun.push(name);
    else void entered.then(() => begun.push(name));
  };
  const turn = async (): Promise<boolean> => {
    const next = turns.shift();
    next?.();
    await Promise.resolve();
    return next !== undefined;
  };
  return { starts, begun, enter, turn };
}
const count = (names: readonly string[], name: string): number =>
  names.filter((each) => each === name).length;

test("ten requests of one begin among the first of a thousand that were there before them", async () => {
  const { begun, enter, turn } = open();
  for (let index = 0; index < 1_000; index++) enter("flooder");
  expect(begun).toHaveLength(8);
  for (let index = 0; index < 10; index++) enter("other");
  await turn();
  expect(count(begun, "other")).toBe(4);
  await turn();
  await turn();
  expect(count(begun, "other")).toBe(10);
  expect(begun).toHaveLength(32);
  while (await turn());
  expect([count(begun, "flooder"), count(begun, "other")]).toEqual([1_000, 10]);
  // Nothing is left of it: the next begins at once.
  enter("later");
  expect(begun.at(-1)).toBe("later");
});

test("what one partner has waiting is bounded, and what all have", () => {
  const { starts, enter } = open();
  for (let index = 0; index < 1_008; index++) enter("flooder");
  expect(() => starts.enter("flooder")).toThrow(
    expect.objectContaining({ code: "rate_limited", retryAfterSeconds: 1 }),
  );
  for (let index = 0; index < 5; index++) enter(`other${index}`);
  expect(() => starts.enter("last")).toThrow(
    expect.objectContaining({ code: "overloaded", retryAfterSeconds: 1 }),
  );
});

test("a few requests wait for nothing", async () => {
  const { starts, turn } = open();
  for (let round = 0; round < 20; round++) {
    expect(starts.enter("one")).toBeUndefined();
    expect(starts.enter("two")).toBeUndefined();
    await turn();
  }
});
