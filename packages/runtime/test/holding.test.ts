import { PublicError } from "@heliograph/contracts";
import { testDatabase, until } from "@heliograph/testkit";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { holding } from "../src/index.ts";

let database: Awaited<ReturnType<typeof testDatabase>>;
/** As two processes have them. */
let pool: pg.Pool;
let other: pg.Pool;
beforeAll(async () => {
  database = await testDatabase();
  pool = new pg.Pool({ ...database.config, max: 4 });
  other = new pg.Pool({ ...database.config, max: 4 });
});
afterEach(() => vi.restoreAllMocks());
afterAll(async () => {
  await Promise.all([pool.end(), other.end()]);
  await database.drop();
});

/** Holds the name until it is told to end. */
function hold(name: string, begun: string[], from = pool) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const ended = holding(from, name, async () => {
    begun.push(name);
    await promise;
  });
  return { end: resolve, ended };
}

test("those who hold names leave half of a pool to others, and whoever reads before his turn has no connection", async () => {
  const begun: string[] = [];
  const held = ["a", "b"].map((name) => hold(name, begun));
  await until(() => begun.length === 2);
  let read = 0;
  const third = holding(
    pool,
    "c",
    async (found: number) => begun.push(`c ${found}`),
    async () => ++read,
  );
  await until(() => read === 1);
  expect(pool.totalCount - pool.idleCount).toBe(2);
  expect((await pool.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  expect(begun.toSorted()).toEqual(["a", "b"]);
  for (const { end } of held) end();
  await Promise.all([third, ...held.map(({ ended }) => ended)]);
  expect(begun.toSorted()).toEqual(["a", "b", "c 1"]);
});

test("whoever waits for longer than 10 s is told that others go before, of this process and of another, and the next one has his turn", async () => {
  const begun: string[] = [];
  const inOther = hold("name", begun, other);
  await until(() => begun.length === 1);
  const now = performance.now.bind(performance);
  let laterMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now() + laterMs);
  const overloaded = expect.objectContaining({ code: "overloaded", retryAfterSeconds: 1 });
  const first = holding(
    pool,
    "name",
    async () => begun.push("never"),
    async () => (laterMs += 9_950),
  ).catch((error: unknown) => error);
  const behind = holding(pool, "name", async () => begun.push("never")).catch(
    (error: unknown) => error,
  );
  const refused = await first;
  expect(refused).toBeInstanceOf(PublicError);
  expect(refused).toEqual(overloaded);
  expect(await behind).toEqual(overloaded);
  inOther.end();
  await inOther.ended;
  expect(await holding(pool, "name", async () => "done")).toBe("done");
  expect(begun).toEqual(["name"]);
});
