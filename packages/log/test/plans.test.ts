import { testDatabase } from "@heliograph/testkit";
import pg from "pg";
import { expect, it } from "vitest";
import { openPostgresLog } from "../src/index.ts";
import { APPEND_ONE, batchStatement, exactStatement } from "../src/postgres/flush.ts";
import { READ_STATEMENTS } from "../src/postgres/reader.ts";
import { event, newStream } from "./support.ts";

const READS: [keyof typeof READ_STATEMENTS, unknown[]][] = [
  ["FORWARDS", ["test-1", 0, 100, 8_000_000]],
  ["BACKWARDS", ["test-1", 100, 100, 8_000_000]],
  ["MANY", [["test-1", "test-2"], 100, 8_000_000]],
  ["ALL", ["1000", 500, 8_000_000]],
  ["ALL_OF_TYPES", ["1000", 500, 8_000_000, ["Tested"]]],
  ["PAGE", ["1000", 500]],
  ["PAGE_OF_TYPES", ["1000", 500, ["Tested"]]],
  ["AT", ["1000"]],
];

const TABLE_SCAN_OR_SORT = /Seq Scan on events|Sort/;

it("finds everything by index and sorts nothing, however large the log", async () => {
  const database = await testDatabase();
  const log = await openPostgresLog({ connection: database.config, namespace: "test" });
  for (let round = 0; round < 10; round++) {
    await log.append(
      Array.from({ length: 200 }, () => ({ ...newStream(), events: [event(), event()] })),
    );
  }
  const client = new pg.Client(database.config);
  await client.connect();
  await client.query("analyze log.events");
  await client.query("set plan_cache_mode = force_generic_plan");

  for (const [name, values] of READS) {
    const plan = await explain(client, READ_STATEMENTS[name], values);
    expect({ name, plan }).toMatchObject({ plan: expect.stringMatching(/Index (Only )?Scan/) });
    expect({ name, plan }).not.toMatchObject({ plan: expect.stringMatching(TABLE_SCAN_OR_SORT) });
  }
  const one = await explain(client, APPEND_ONE.text, [
    "test-1",
    1,
    event().id,
    "Tested",
    1,
    "{}",
    "{}",
  ]);
  expect(one).toMatch(/Index (Only )?Scan/);
  expect(one).not.toMatch(TABLE_SCAN_OR_SORT);
  const encoded = [{ data: "{}", metadata: "{}" }];
  const several = exactStatement([
    { append: { stream: "test-1", expected: 0, events: [event()] }, encoded },
    { append: { ...newStream(), events: [event()] }, encoded },
  ]);
  const plan = await explain(client, several.text, several.values);
  expect(plan).toMatch(/Index (Only )?Scan/);
  expect(plan).not.toMatch(/Seq Scan on events/);

  await client.end();
  await log.close();
  await database.drop();
});

it("looks up the streams of a flush by index, not by reading the table", async () => {
  const database = await testDatabase();
  const log = await openPostgresLog({ connection: database.config, namespace: "test" });
  for (let round = 0; round < 20; round++) {
    await log.append(Array.from({ length: 200 }, () => newStream()));
  }
  const client = new pg.Client(database.config);
  await client.connect();
  const scans = async () => {
    await client.query("select pg_stat_force_next_flush()");
    const { rows } = await client.query(
      "select seq_tup_read::int as read from pg_stat_user_tables where schemaname = 'log' and relname = 'events'",
    );
    return rows[0].read as number;
  };
  await client.query("analyze log.events");
  const before = await scans();
  // Both answers: all accepted, and some refused.
  const refused = newStream();
  for (let round = 0; round < 10; round++) {
    const items = [newStream(), newStream(), refused].map((append) => ({
      append,
      encoded: append.events.map(() => ({ data: "{}", metadata: "{}" })),
    }));
    await client.query(batchStatement(items));
  }
  expect(await scans()).toBe(before);
  await client.end();
  await log.close();
  await database.drop();
});

async function explain(client: pg.Client, text: string, values: unknown[]): Promise<string> {
  const { rows } = await client.query(`explain ${text}`, values);
  return rows.map((row) => row["QUERY PLAN"]).join("\n");
}
