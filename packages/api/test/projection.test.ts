import { openPool } from "@heliograph/runtime";
import { partnerIn, testDatabase, type TestDatabase } from "@heliograph/testkit";
import type pg from "pg";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Call } from "../src/call.ts";
import { projectionHeaders } from "../src/projection.ts";

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
/** What a partner is told of a consumer that is divided into four, whose shard 2 has not seen all. */
const headersOf = (shard: number, wanted?: bigint): Promise<readonly string[]> =>
  projectionHeaders(
    {
      deps: { projectionPool: pool, log },
      account: partnerIn(shard, 4),
      request: { headers: wanted === undefined ? {} : { "min-log-position": String(wanted) } },
      signal: new AbortController().signal,
    } as unknown as Call,
    "divided",
  );

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
