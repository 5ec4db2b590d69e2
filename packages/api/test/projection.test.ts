import { openPool } from "@heliograph/runtime";
import { loosely, partnerIn, testDatabase, type TestDatabase } from "@heliograph/testkit";
import type pg from "pg";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Call } from "../src/call.ts";
import { lagHeaders, positionHeaders, saysLag } from "../src/projection.ts";
import type { Route } from "../src/route.ts";

let database: TestDatabase;
let pool: pg.Pool;
beforeAll(async () => {
  database = await testDatabase();
  const logger = pino({ level: "silent" });
  pool = openPool(database.config, { name: "positions", max: 2, durable: false }, logger);
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const head = 100n;
const log = {
  head: async () => head,
  span: (from: bigint, to: bigint) => Number(to - from),
};
const lagOf = (call: object, projection: string | undefined, wanted?: bigint | string) =>
  lagHeaders(
    {
      request: { headers: wanted === undefined ? {} : { "min-log-position": String(wanted) } },
      signal: new AbortController().signal,
      ...call,
    } as unknown as Call,
    { projection } as Route,
  );
/** What a partner is told of a consumer that is divided into four, whose shard 2 has not seen all. */
const headersOf = (shard: number, wanted?: bigint): Promise<readonly string[]> =>
  lagOf({ deps: { projectionPool: pool, log }, account: partnerIn(shard, 4) }, "divided", wanted);

test("a read model that is divided is as far behind as the caller's own shard, and that is waited for", async () => {
  await pool.query(`create schema divided;
    create table divided.checkpoint (name text primary key, position bigint not null);
    insert into divided.checkpoint select 'some/' || shard, case shard when 2 then 90 else 100 end from generate_series(0, 3) as shard`);
  expect(await headersOf(1, head)).toEqual(["Projection-Lag", "0"]);
  expect(await headersOf(2)).toEqual(["Projection-Lag", "10"]);
  expect(await headersOf(2, 90n)).toEqual(["Projection-Lag", "10"]);

  const waiting = headersOf(2, head);
  await pool.query("update divided.checkpoint set position = 95 where name = 'some/2'");
  await pool.query("update divided.checkpoint set position = 100 where name = 'some/2'");
  expect(await waiting).toEqual(["Projection-Lag", "0"]);
});

test("what is kept in memory is waited for too, and a position that is none is refused whatever is read", async () => {
  let position = 90n;
  const reached = Promise.withResolvers<void>();
  const directory = {
    get position() {
      return position;
    },
    caughtUp: () => reached.promise,
  };
  const call = { context: { directory, platformLog: log } };
  // Not waited for without a position, with one that is behind, and with one of another log.
  for (const wanted of [undefined, 90n, 101n])
    expect(await lagOf(call, undefined, wanted)).toEqual(["Projection-Lag", "10"]);
  // No answer waits for a log that does not answer, or that does not say a word.
  for (const head of [() => Promise.reject(new Error("it is away")), () => new Promise(() => {})]) {
    const context = { directory, platformLog: { ...log, head } };
    expect(await lagOf({ context }, undefined)).toEqual([]);
    const deps = { log: context.platformLog };
    for (const scope of ["admin", "keys:write"] as const)
      expect(await positionHeaders(loosely({ context, deps }), { scope })).toEqual([]);
  }
  const waiting = lagOf(call, undefined, 97n);
  position = 95n;
  reached.reject(new Error("it took too long"));
  expect(await waiting).toEqual(["Projection-Lag", "5"]);
  for (const projection of [undefined, "divided"])
    await expect(lagOf(call, projection, "soon")).rejects.toThrow("Min-Log-Position");
});

test("every read of somebody who is known takes a position", () => {
  const says = (route: Partial<Route>): boolean => saysLag(route as Route);
  expect(says({ method: "GET", scope: "keys:read" })).toBe(true);
  expect(says({ method: "POST", scope: "contacts:read", projection: "contacts" })).toBe(true);
  expect(says({ method: "GET", scope: "public" })).toBe(false);
  expect(says({ method: "POST", scope: "messages:write" })).toBe(false);
});
