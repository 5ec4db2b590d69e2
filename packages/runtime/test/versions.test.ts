import { SchemaTooNew } from "@heliograph/log";
import { afterEach, beforeEach, expect, test } from "vitest";
import { prepareConsumer, type Projector, type Reactor } from "../src/index.ts";
import { loosely, until } from "@heliograph/testkit";
import {
  count,
  countingProjector,
  openEnvironment,
  runConsumer,
  startConsumers,
} from "./fixture.ts";

let environment: Awaited<ReturnType<typeof openEnvironment>>;
beforeEach(async () => {
  environment = await openEnvironment();
});
afterEach(() => environment.close());

/** The next release of the counting projector: another column, and what it holds cannot be made from the old rows. */
const second = (): Projector => ({
  ...countingProjector(),
  version: 2,
  ddl: "create table if not exists {schema}.totals (name text primary key, events bigint not null, total bigint not null, largest bigint not null)",
  create: () => ({
    project(events) {
      const values = events.map((event) => Number(loosely(event.data).value));
      return [
        {
          name: "add_largest",
          sql: `insert into {schema}.totals values ('all', $1::bigint, $2::bigint, $3::bigint)
          on conflict (name) do update set events = totals.events + excluded.events, total = totals.total + excluded.total,
            largest = greatest(totals.largest, excluded.largest)`,
          values: [
            values.length,
            values.reduce((sum, value) => sum + value, 0),
            Math.max(...values),
          ],
        },
      ];
    },
  }),
});
const rows = async () =>
  (await environment.context.pool.query("select * from counts.totals")).rows as readonly object[];

test("tables of an older version are rebuilt while those of the running release are written, and it is fenced", async () => {
  const { context, log } = environment;
  const older = await runConsumer(countingProjector(), context);
  await older.caughtUp(await count(log, [5, 1]));
  expect(await rows()).toEqual([{ name: "all", events: "2", total: "6" }]);
  const newer = await startConsumers(context, [second()]);
  await until(async () => "largest" in (await rows())[0]!);
  // The older copy sees what happened at its next commit and stands back; the newer one takes the lease that it leaves.
  await count(log, [9]);
  await until(() => /newer release/.test(older.lastError ?? ""));
  await until(async () => Number((await rows())[0]!["events" as never]) === 3);
  expect(await rows()).toEqual([{ name: "all", events: "3", total: "15", largest: "9" }]);
  await Promise.all([older.stop(), newer.stop()]);
});

test("of two processes of the new release one rebuilds and both go on", async () => {
  const { context, log } = environment;
  const older = await runConsumer(countingProjector(), context);
  await older.caughtUp(await count(log, [5, 1]));
  await older.stop();
  const copies = await Promise.all([0, 1].map(() => startConsumers(context, [second()])));
  await until(() => copies.some(({ statuses }) => statuses[0]!.state === "running"));
  expect(await rows()).toEqual([{ name: "all", events: "2", total: "6", largest: "5" }]);
  await Promise.all(copies.map((copy) => copy.stop()));
});

const reactor = (migrations: readonly string[]): Reactor => ({
  kind: "reactor",
  name: "notes",
  schema: "notes",
  types: loosely(["Counted"]),
  migrations,
  start: () => ({ handle: async () => undefined, stop: async () => undefined }),
});
const first = "create table if not exists {schema}.notes (id int primary key)";

test("a reactor's migrations run once each, in order, and meet tables from before they were numbered", async () => {
  const { pool } = environment.context;
  await pool.query("create schema notes");
  await pool.query("create table notes.notes (id int primary key)");
  await pool.query("insert into notes.notes values (7)");
  const grown = reactor([
    first,
    "alter table {schema}.notes add column text text not null default 'old'",
  ]);
  await prepareConsumer(pool, grown);
  await prepareConsumer(pool, grown);
  expect((await pool.query("select * from notes.notes")).rows).toEqual([{ id: 7, text: "old" }]);
  const { rows: done } = await pool.query("select number from notes.migrations order by 1");
  expect(done).toEqual([{ number: 1 }, { number: 2 }]);
});

test("an older release refuses tables that a newer one has changed", async () => {
  const { pool } = environment.context;
  await prepareConsumer(pool, reactor([first, "alter table {schema}.notes add column text text"]));
  await expect(prepareConsumer(pool, reactor([first]))).rejects.toThrow(SchemaTooNew);
});
