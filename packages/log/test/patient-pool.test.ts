import { EventEmitter } from "node:events";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { untilBack } from "../src/postgres/outage.ts";
import { PatientPool } from "../src/postgres/patient-pool.ts";

type Answer = (error: Error | null, result?: unknown) => void;

/** Statements that a database has not answered yet. */
const asked: { readonly text: string; readonly answer: Answer }[] = [];

class SlowClient extends EventEmitter {
  readonly _queryable = true;
  connect(connected: () => void): void {
    connected();
  }
  query(text: string, _values: unknown, answer: Answer): void {
    asked.push({ text, answer });
  }
  end(ended?: () => void): void {
    ended?.();
  }
}

beforeEach(
  () => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] }),
);
afterEach(() => {
  vi.useRealTimers();
  asked.length = 0;
});

/** One connection; gives what became of each statement, in the order of the ends. */
function openPool() {
  const config = { max: 1, idleTimeoutMillis: 0, Client: SlowClient as never };
  const pool = new PatientPool(config, { silenceMs: 5_000, longestMs: 30_000 });
  const ended: string[] = [];
  const ask = (text: string): void => {
    pool.query(text).then(
      () => ended.push(text),
      (error: Error) => ended.push(`${text}: ${error.message}`),
    );
  };
  return { pool, ask, ended };
}
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
};
async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  await settled();
}
async function answer(error: Error | null = null): Promise<void> {
  asked.shift()!.answer(error, { rows: [] });
  await settled();
}
const away = "timeout exceeded when trying to connect";

test("whoever waits for a connection waits on while others are answered, in the order of the calls", async () => {
  const { ask, ended } = openPool();
  for (const text of ["a", "b", "c", "d"]) ask(text);
  for (let turn = 0; turn < 4; turn++) {
    await pass(4_000);
    expect(asked).toHaveLength(1);
    await answer();
  }
  expect(ended).toEqual(["a", "b", "c", "d"]);
});

test("all who wait hear after a few seconds that the database answers nobody, and ask nothing of it later", async () => {
  const { ask, ended } = openPool();
  for (const text of ["a", "b", "c"]) ask(text);
  await pass(4_000);
  expect(ended).toEqual([]);
  await pass(2_000);
  expect(ended).toEqual([`b: ${away}`, `c: ${away}`]);
  await answer(new Error("Query read timeout"));
  expect(asked).toEqual([]);
  ask("d");
  await settled();
  await answer();
  expect(ended.slice(2)).toEqual(["a: Query read timeout", "d"]);
});

test("nobody waits for longer than the longest time, however many are answered before", async () => {
  const { ask, ended } = openPool();
  for (let number = 0; number < 10; number++) ask(String(number));
  for (let turn = 0; turn < 7; turn++) {
    await pass(4_000);
    await answer();
  }
  await pass(3_000);
  expect(ended).toEqual(["0", "1", "2", "3", "4", "5", "6", `8: ${away}`, `9: ${away}`]);
});

test("nobody who comes while a connection goes over is served before those that wait", async () => {
  const { pool, ask, ended } = openPool();
  for (const text of ["a", "b", "c"]) ask(text);
  pool.once("release", () => ask("newcomer"));
  for (let turn = 0; turn < 4; turn++) await answer();
  expect(ended).toEqual(["a", "b", "c", "newcomer"]);
});

test("who waits when the pool ends hears that it has", async () => {
  const { pool, ask, ended } = openPool();
  for (const text of ["a", "b"]) ask(text);
  const over = pool.end();
  await settled();
  expect(ended).toEqual(["b: the pool has ended"]);
  await answer();
  await over;
  expect(ended).toEqual(["b: the pool has ended", "a"]);
});

test("while a server says that it is away one asks it again for all of its databases, and who waits hears that it is back", async () => {
  let asks = 0;
  let isAway = true;
  class Refused extends SlowClient {
    override connect(connected: (error?: Error) => void): void {
      asks++;
      setImmediate(() =>
        connected(isAway ? Object.assign(new Error("it starts"), { code: "57P03" }) : undefined),
      );
    }
  }
  const patience = { silenceMs: 5_000, longestMs: 30_000 };
  const configs = ["live", "sandbox"].map((database) => ({
    host: "/away",
    port: 1,
    database,
    max: 3,
    idleTimeoutMillis: 0,
    Client: Refused as never,
  }));
  const pools = configs.map((config) => new PatientPool(config, patience));
  const connectAll = async (): Promise<Set<string>> => {
    const made = await Promise.allSettled(
      pools.flatMap((pool) => [1, 2, 3, 4].map(() => pool.connect())),
    );
    return new Set(made.map((one) => (one.status === "rejected" ? one.reason.message : "made")));
  };
  expect(untilBack(configs[0]!)).toBeUndefined();
  // Those that were on their way before anybody knew.
  expect(await connectAll()).toEqual(new Set(["it starts"]));
  const known = asks;
  expect(await connectAll()).toEqual(new Set(["it starts"]));
  expect(asks).toBe(known);
  await pass(1_000);
  expect(await connectAll()).toEqual(new Set(["it starts"]));
  expect(asks).toBe(known + 1);
  const back = untilBack(configs[1]!)!;
  expect(back.aborted).toBe(false);
  isAway = false;
  await pass(1_000);
  const client = await pools[0]!.connect();
  expect(asks).toBe(known + 2);
  expect(back.aborted).toBe(true);
  expect(untilBack(configs[0]!)).toBeUndefined();
  client.release();
  await Promise.all(pools.map((pool) => pool.end()));
});
