import { followUp, sendsUnderWay } from "@heliograph/runtime";
import { expect, test, vi } from "vitest";
import { ReportTurns } from "../src/api/report-turns.ts";

const bytes = { perNameBytes: 50_000, totalBytes: 80_000 };

test("a storm is stored in rounds, gateways in turns; smaller ones with a rest behind each while somebody calls", async () => {
  let now = 0;
  const limits = { alone: 3, beside: 2, pressing: 1_000, bytes };
  const turns = new ReportTurns(limits, () => now);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const crowds: boolean[] = [];
  const report = (name: string): Promise<void> =>
    turns.run(name, (crowded) => {
      begun.push(name);
      crowds.push(crowded);
      return new Promise((resolve) => ends.push(resolve));
    });
  /** Ends all of a round but for some, and gives who began because of that. */
  const end = async (count: number): Promise<readonly string[]> => {
    const before = begun.length;
    for (const each of ends.splice(0, count)) each();
    await new Promise(setImmediate);
    return begun.slice(before);
  };
  // The first is alone with it: those that come meanwhile are the next round.
  const all = ["a", "a", "a", "a", "a", "a", "a", "b"].map(report);
  expect(begun).toEqual(["a"]);
  expect(await end(1)).toEqual(["a", "b", "a"]);
  expect(await end(2)).toEqual([]);
  turns.others.seen();
  now = 5;
  // It rests.
  expect(await end(1)).toEqual([]);
  await expect.poll(() => begun.slice(4)).toEqual(["a", "a"]);
  // Only then are there callers who would wait for its company, and more than the round takes.
  expect(crowds).toEqual([false, false, false, false, true, true]);
  now = 20_000;
  expect(await end(2)).toEqual(["a", "a"]);
  await end(2);
  await Promise.all(all);
});

test("the next round begins behind the sends that are under way", async () => {
  vi.useFakeTimers();
  try {
    const turns = new ReportTurns({ alone: 1, beside: 1, pressing: 1_000, bytes });
    turns.others.seen();
    const began: number[] = [];
    const all = [1, 2].map(() =>
      turns.run("a", async () => {
        began.push(performance.now());
        vi.advanceTimersByTime(10);
      }),
    );
    // It rests for 7 ms.
    await vi.advanceTimersByTimeAsync(5);
    const over = sendsUnderWay.begin();
    await vi.advanceTimersByTimeAsync(15);
    expect(began).toHaveLength(1);
    over();
    await Promise.all(all);
    expect(began[1]! - began[0]!).toBe(30);
  } finally {
    vi.useRealTimers();
  }
});

test("while somebody calls, the next round begins once the consumers have done what the last led to", async () => {
  vi.useFakeTimers();
  let behind = 500;
  const forget = followUp.add(() => behind);
  try {
    const turns = new ReportTurns({ alone: 1, beside: 1, pressing: 1_000, bytes });
    const began: number[] = [];
    const two = () =>
      [1, 2].map(() =>
        turns.run("a", async () => {
          began.push(performance.now());
          vi.advanceTimersByTime(10);
        }),
      );
    // Alone they wait for nothing.
    await Promise.all(two());
    expect(began[1]! - began[0]!).toBe(10);
    await vi.advanceTimersByTimeAsync(0);
    turns.others.seen();
    const all = two();
    // A rest of 7 ms, and 200 at most.
    await vi.advanceTimersByTimeAsync(180);
    expect(began).toHaveLength(3);
    behind = 0;
    await vi.advanceTimersByTimeAsync(2);
    await Promise.all(all);
    expect(began).toHaveLength(4);
  } finally {
    forget();
    vi.useRealTimers();
  }
});

test("one that fails gives its place back", async () => {
  const turns = new ReportTurns({ alone: 1, beside: 1, pressing: 1, bytes });
  const broken = turns.run("a", () => Promise.reject(new Error("away")));
  const next = turns.run("a", async () => undefined);
  await expect(broken).rejects.toThrow("away");
  await next;
});

test("the more wait, the larger the rounds and the shorter the rests, and none is refused for their number", async () => {
  let now = 0;
  const turns = new ReportTurns({ alone: 10, beside: 2, pressing: 8, bytes }, () => now);
  turns.others.seen();
  let begun = 0;
  let ends: (() => void)[] = [];
  const all = Array.from({ length: 29 }, () =>
    turns.run("a", () => {
      begun++;
      return new Promise((resolve) => ends.push(resolve));
    }),
  );
  const round = async (): Promise<number> => {
    const before = begun;
    const over = ends;
    ends = [];
    for (const each of over) each();
    await new Promise(setImmediate);
    return begun - before;
  };
  expect(begun).toBe(1);
  now = 50;
  // The first took 50 ms; 28 wait, and there is no rest.
  expect(await round()).toBe(10);
  now = 100;
  expect(await round()).toBe(10);
  now = 150;
  // Eight are left, as many as go like the others. From here on there are fewer.
  expect(await round()).toBe(8);
  await round();
  await Promise.all(all);
});

test("a report has room until it is answered, for more than its body, and one gateway leaves some to the others", () => {
  const turns = new ReportTurns({ alone: 1, beside: 1, pressing: 1, bytes });
  const holds = ["a", "a", "a", "b"].map((name) => turns.hold(name));
  expect(() => turns.hold("a")).toThrow(expect.objectContaining({ code: "rate_limited" }));
  expect(() => turns.hold("c")).toThrow(expect.objectContaining({ code: "overloaded" }));
  expect(() => holds[3]!.grow(20_000)).toThrow(expect.objectContaining({ code: "overloaded" }));
  holds[0]!.release();
  turns.hold("a").grow(100);
});
