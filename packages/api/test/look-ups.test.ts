import type pg from "pg";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LookUps } from "../src/look-ups.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Query = {
  readonly query_timeout: number;
  readonly values: readonly [string[], string[], string[]];
};
type Asked = {
  readonly query_timeout: number;
  readonly values: Query["values"];
  /** Nobody of those who are asked for has claims, but for these rows. */
  answer(...rows: object[]): void;
  fail(error: Error): void;
};

function open() {
  const asked: Asked[] = [];
  const query = ({ values, query_timeout }: Query) =>
    new Promise((resolve, reject) => {
      const none = values[2].map((partner) => ({ partner, key: null }));
      asked.push({
        values,
        query_timeout,
        answer: (...rows) => resolve({ rows: [...rows, ...(rows.length === 0 ? none : [])] }),
        fail: reject,
      });
    });
  const lookUps = new LookUps({ query } as unknown as pg.Pool);
  return { lookUps, asked, find: (partner: string) => lookUps.find([{ partner, key: "k" }]) };
}

/** To be called before it fails: nobody else hears of it. */
const reasonOf = (failing: Promise<unknown>): Promise<unknown> =>
  failing.catch((error: Error) => error.message);

test("a look-up that hangs holds few, and is given up", async () => {
  const { asked, find } = open();
  const hangs = find("a");
  const failed = reasonOf(hangs);
  const other = find("b");
  asked[1]!.answer();
  expect(await other).toEqual([]);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await failed).toContain("not answered in time");
  // Its connection is not held for as long as other statements may take.
  expect(asked[0]!.query_timeout).toBe(5_000);
});

test("those who ask while some are under way share the next one, and what fails one fails no other", async () => {
  const { asked, find } = open();
  const first = ["a", "b", "c", "d"].map(find);
  const refused = reasonOf(first[0]!);
  const rest = ["e", "f"].map(find);
  expect(asked).toHaveLength(4);
  asked[0]!.fail(new Error("away"));
  expect(await refused).toBe("away");
  await vi.advanceTimersByTimeAsync(0);
  expect(asked).toHaveLength(5);
  expect(asked[4]!.values[0]).toEqual(["e", "f"]);
  for (const each of asked.slice(1)) each.answer();
  expect(await Promise.all([...first.slice(1), ...rest])).toEqual([[], [], [], [], []]);
});

test("a partner's claim is missed by no look-up of its own, and keeps nobody else from being remembered", async () => {
  const { lookUps, asked, find } = open();
  const both = [find("a"), find("b")];
  lookUps.claimed("a");
  for (const each of asked) each.answer();
  await Promise.all(both);
  expect([lookUps.hasNone("a"), lookUps.hasNone("b")]).toEqual([false, true]);
  // Another process's claim is found once that is over.
  vi.advanceTimersByTime(1_000);
  expect(lookUps.hasNone("b")).toBe(false);
  const again = find("b");
  asked[2]!.answer({ partner: "b", key: "k", requestId: "req", done: true, leaseMs: 0 });
  expect(await again).toMatchObject([{ partner: "b", requestId: "req" }]);
  expect([lookUps.hasNone("b"), lookUps.size]).toEqual([false, 0]);
});
