import { expect, test } from "vitest";
import { ReportTurns } from "../src/api/report-turns.ts";

test("a storm is stored in rounds, gateways in turns; smaller ones with a rest behind each while somebody calls, and what is too much is told to come again", async () => {
  let now = 0;
  const limits = { alone: 3, beside: 2, waitingPerName: 6, waiting: 7 };
  const turns = new ReportTurns(limits, () => now);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const report = (name: string): Promise<void> =>
    turns.run(name, () => {
      begun.push(name);
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
  expect(() => report("a")).toThrow(expect.objectContaining({ code: "overloaded" }));
  expect(() => report("c")).toThrow(expect.objectContaining({ code: "overloaded" }));
  expect(await end(1)).toEqual(["a", "b", "a"]);
  expect(await end(2)).toEqual([]);
  turns.called();
  now = 5;
  // It rests as long as it took.
  expect(await end(1)).toEqual([]);
  await expect.poll(() => begun.slice(4)).toEqual(["a", "a"]);
  now = 20_000;
  expect(await end(2)).toEqual(["a", "a"]);
  await end(2);
  await Promise.all(all);
});

test("one that fails gives its place back", async () => {
  const turns = new ReportTurns({ alone: 1, beside: 1, waitingPerName: 1, waiting: 1 });
  const broken = turns.run("a", () => Promise.reject(new Error("away")));
  const next = turns.run("a", async () => undefined);
  await expect(broken).rejects.toThrow("away");
  await next;
});
