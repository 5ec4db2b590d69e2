import { newId, shardOf, spaceAfter, streamOf, uuid7 } from "@heliograph/contracts";
import { openPostgresLog, type EventLog } from "@heliograph/log";
import { partnerIn, testDatabase, type TestDatabase } from "@heliograph/testkit";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Call } from "../src/call.ts";
import { amongAll } from "../src/unseen.ts";

let database: TestDatabase;
let pool: pg.Pool;
let log: EventLog;
beforeAll(async () => {
  database = await testDatabase();
  pool = new pg.Pool({ ...database.config, max: 4 });
  log = await openPostgresLog({ connection: database.config, namespace: "sandbox" });
});
afterAll(async () => {
  await log.close();
  await pool.end();
  await database.drop();
});

const counted = {
  name: "endpoints",
  schema: "webhooks",
  made: "WebhookEndpointCreated",
  gone: "WebhookEndpointDeleted",
  id: "endpoint_id",
} as const;

const count = (account: string, known: readonly string[], own = "") =>
  amongAll(
    {
      account,
      env: "sandbox",
      context: { platformPool: pool },
      deps: { log, projectionPool: pool },
    } as unknown as Call<unknown, unknown>,
    counted,
    async () => known,
    async (others) => others(own),
  );

async function write(partner: string, type: string, endpoint_id: string): Promise<bigint> {
  const event = { id: uuid7(), type, data: { endpoint_id }, metadata: { partner } };
  const stream = streamOf("endpoint", endpoint_id);
  const [outcome] = await log.append([{ stream, expected: "any", events: [event] }]);
  return (outcome as { position: bigint }).position;
}

test("what the shard of a partner has not seen counts, though others have, and of every space of the partner", async () => {
  const account = partnerIn(1, 2);
  const ids = Array.from({ length: 4 }, () => newId("whe"));
  const [first, second, third, fourth] = ids as [string, string, string, string];
  const seen = await write(account, counted.made, first);
  await write(account, counted.made, second);
  await write(spaceAfter(account, 1), counted.made, third);
  await write(spaceAfter(account, 2), counted.made, fourth);
  await write(spaceAfter(account, 2), counted.gone, second);
  await write(partnerIn(1, 2), counted.made, newId("whe"));
  const head = await log.head();
  await pool.query("create schema webhooks");
  await pool.query("create table webhooks.checkpoint (name text, position bigint)");
  await pool.query(
    "insert into webhooks.checkpoint values ('webhooks/0', $1), ('webhooks/1', $2)",
    [head, seen],
  );
  expect(shardOf(account, 2)).toBe(1);
  expect(await count(account, [first])).toBe(3);
  expect(await count(account, [first], fourth)).toBe(2);
  expect(await count(partnerIn(0, 2), [])).toBe(0);
});
