import { testDatabase } from "@heliograph/testkit";
import { expect, it } from "vitest";
import { LogUnavailable, openMemoryLog, openPostgresLog, ReadTooLarge } from "../src/index.ts";
import { makeTurns } from "../src/fair-reads.ts";
import { event, newStream } from "./support.ts";

/** Work that ends when the test says so. */
function held() {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const work = (name: string) => () => {
    begun.push(name);
    return new Promise<void>((resolve) => ends.push(resolve));
  };
  const end = async (): Promise<void> => {
    ends.shift()!();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { begun, work, end };
}

it("lets a partner with one read go before the rest of one with many", async () => {
  const { begun, work, end } = held();
  const take = makeTurns({ perPartner: 2, total: 3 });
  const all = ["a1", "a2", "a3", "a4", "b1", "b2", "c1"].map((name) => take(name[0]!, work(name)));
  await new Promise((resolve) => setImmediate(resolve));
  expect(begun).toEqual(["a1", "a2", "b1"]);
  await end();
  expect(begun.at(-1)).toBe("c1");
  await end();
  for (let left = 5; left > 0; left--) await end();
  expect(begun.toSorted()).toEqual(["a1", "a2", "a3", "a4", "b1", "b2", "c1"]);
  await Promise.all(all);
});

it("gives a place back when the read fails", async () => {
  const take = makeTurns({ perPartner: 1, total: 1 });
  await expect(take("a", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await take("a", async () => 1)).toBe(1);
});

it("refuses a partner's reads when a thousand of them wait, and nobody else's", async () => {
  const { work, end } = held();
  const take = makeTurns({ perPartner: 1, total: 2 });
  const first = Array.from({ length: 1_001 }, () => take("a", work("a")));
  await expect(take("a", work("a"))).rejects.toBeInstanceOf(LogUnavailable);
  const other = take("b", async () => "read");
  expect(await other).toBe("read");
  for (let left = first.length; left > 0; left--) await end();
  await Promise.all(first);
});

it("leaves connections to others while one partner reads without end", async () => {
  const database = await testDatabase();
  const log = await openPostgresLog({ connection: database.config, namespace: "test" });
  const heavy = {
    ...newStream(),
    events: Array.from({ length: 8 }, () => event({ data: { text: "x".repeat(1_000_000) } })),
  };
  const light = newStream();
  await log.append([heavy, light]);
  let over = false;
  let done = 0;
  const greedy = Array.from({ length: 50 }, async () => {
    while (!over) {
      await log.forPartner("ptn_greedy").readStream(heavy.stream);
      done++;
    }
  });
  for (let round = 0; round < 20; round++) {
    const before = done;
    expect(await log.forPartner("ptn_modest").readStream(light.stream)).toHaveLength(1);
    expect(await log.readStream(light.stream)).toHaveLength(1);
    // Fifty reads stand in the queue: whoever waited behind them would see them pass.
    expect(done - before).toBeLessThan(20);
  }
  over = true;
  await Promise.all(greedy);
  await log.close();
  await database.drop();
});

it("refuses a read of more than may be held, and goes through it page by page", async () => {
  const database = await testDatabase();
  const reads = { pageEvents: 10, pageBytes: 2_000, maxBytes: 20_000 };
  const log = await openPostgresLog({ connection: database.config, namespace: "test", reads });
  const [large, small] = [300, 3].map((count) => ({
    ...newStream(),
    events: Array.from({ length: count }, () => event({ data: { text: "x".repeat(100) } })),
  }));
  await log.append([large!, small!]);
  await expect(log.readStream(large!.stream)).rejects.toBeInstanceOf(ReadTooLarge);
  await expect(log.readStreams([small!.stream, large!.stream])).rejects.toBeInstanceOf(
    ReadTooLarge,
  );
  expect(await log.readStream(large!.stream, { limit: 50 })).toHaveLength(50);
  let seen = 0;
  for await (const each of log.scanStream(large!.stream)) expect(each.revision).toBe(seen++);
  expect(seen).toBe(300);
  await log.close();
  await database.drop();
});

it("makes the log of a partner once, however often it is asked for", async () => {
  const log = openMemoryLog();
  expect(log.forPartner("a")).toBe(log.forPartner("a"));
  expect(log.forPartner("a")).not.toBe(log.forPartner("b"));
  await log.close();
});
