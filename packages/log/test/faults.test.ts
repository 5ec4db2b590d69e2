import { loosely, tcpProxy, testDatabase, until, type TestDatabase } from "@heliograph/testkit";
import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  CheckpointAhead,
  LogUnavailable,
  openPostgresLog,
  type Append,
  type EventLog,
  type PostgresLogOptions,
} from "../src/index.ts";
import { event, isDense, newStream, watch } from "./support.ts";

let database: TestDatabase;
let admin: pg.Client;
let logs: EventLog[];

beforeEach(async () => {
  database = await testDatabase();
  admin = new pg.Client(database.config);
  await admin.connect();
  logs = [];
});
afterEach(async () => {
  for (const log of logs) await log.close();
  await admin.end();
  await database.drop();
});

async function open(options: Partial<PostgresLogOptions> = {}): Promise<EventLog> {
  const log = await openPostgresLog({ connection: database.config, namespace: "test", ...options });
  logs.push(log);
  return log;
}

/** Ends the backends of this database whose last statement or name matches. */
async function killBackends(pattern: string): Promise<number> {
  const { rowCount } = await admin.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and (query like $1 or application_name like $1)`,
    [pattern],
  );
  return rowCount ?? 0;
}

async function storedIds(): Promise<string[]> {
  const { rows } = await admin.query("select id from log.events order by position");
  return rows.map((row) => row.id);
}

describe("a broken connection", () => {
  it("neither loses nor repeats an append when backends are killed in the middle of it", async () => {
    const log = await open();
    const watcher = watch(log, { after: 0n });
    let running = true;
    const appended: string[] = [];
    const shared = `test-${randomUUID()}`;
    const writers = Array.from({ length: 32 }, async (_, index) => {
      while (running) {
        const append: Append =
          index % 4 === 0 ? { ...newStream(), stream: shared, expected: "any" } : newStream();
        const [outcome] = await log.append([append]);
        expect(outcome!.kind).toBe("appended");
        appended.push(append.events[0]!.id);
      }
    });
    for (let kills = 0; kills < 5; kills++) {
      const before = appended.length;
      await until(() => appended.length > before + 100, { what: "appends go on" });
      await until(async () => (await killBackends("%append_batch%")) > 0);
    }
    const before = appended.length;
    await until(() => appended.length > before + 100, { what: "appends go on" });
    running = false;
    await Promise.all(writers);
    const stored = await storedIds();
    expect(stored.toSorted()).toEqual(appended.toSorted());
    await until(() => watcher.position === BigInt(stored.length));
    await watcher.stop();
    expect(isDense(watcher.events)).toBe(true);
    expect(watcher.events.map((each) => each.id)).toEqual(stored);
  });

  it.each([
    ["no_stream", "log_append_one"],
    ["any", "log_append_batch"],
  ] as const)(
    "reports what was committed although the answer was lost as appended (%s)",
    async (expected, statement) => {
      const proxy = await tcpProxy(database.config);
      const log = await open({ connection: proxy.config });
      const watcher = watch(log, { after: 0n });
      await log.append([{ ...newStream(), expected }]);
      const lost = proxy.loseAnswerTo(statement);
      const append = { ...newStream(), expected };
      const outcomes = await log.append([append]);
      await lost;
      expect(outcomes).toMatchObject([{ kind: "appended", revision: 0, position: 2n }]);
      expect(await log.readStream(append.stream)).toHaveLength(1);
      await until(() => watcher.events.length === 2, { what: "the subscriber sees it too" });
      await watcher.stop();
      await log.close();
      await proxy.close();
    },
  );

  it("fails appends at once while the database is away, and takes them again when it is back", async () => {
    const proxy = await tcpProxy(database.config);
    const log = await open({ connection: proxy.config });
    const watcher = watch(log, { after: 0n });
    await log.append([newStream()]);
    await proxy.cut();
    await until(async () => (await refusal(log.append([newStream()]))) !== undefined);
    // No timer and no answer from outside comes before the loop has turned.
    const turned = new Promise((resolve) => void setImmediate(resolve));
    const refused = await Promise.race([refusal(log.append([newStream()])), turned]);
    expect(refused).toBeInstanceOf(LogUnavailable);
    expect((refused as LogUnavailable).retryAfterMs).toBeGreaterThan(0);
    expect(await refusal(log.readStream("test-1"))).toBeInstanceOf(LogUnavailable);
    await proxy.mend();
    await until(async () => (await refusal(log.append([newStream()]))) === undefined);
    const head = await log.head();
    await until(() => watcher.position === head, { what: "the subscription goes on" });
    await watcher.stop();
    expect(isDense(watcher.events)).toBe(true);
    await log.close();
    await proxy.close();
  });

  it("fails an append that cannot get its turn in time, and has not stored it", async () => {
    const log = await open();
    await admin.query("begin; select from log.head for update");
    const refused = await refusal(log.append([newStream()]));
    await admin.query("rollback");
    expect(refused).toBeInstanceOf(LogUnavailable);
    expect(refused).toMatchObject({ outcomeUnknown: false });
    const [next] = await log.append([newStream()]);
    expect(next).toMatchObject({ kind: "appended", position: 1n });
  });

  it("cannot be opened without its database, and says so", async () => {
    const proxy = await tcpProxy(database.config);
    await proxy.cut();
    const opening = openPostgresLog({ connection: proxy.config, namespace: "test" });
    await expect(opening).rejects.toBeInstanceOf(LogUnavailable);
  });

  it("costs a subscriber nothing but time when notifications are lost", async () => {
    const log = await open();
    const other = await open();
    const watcher = watch(log, { after: 0n });
    await until(() => watcher.caughtUp);
    expect(await killBackends("%wake-up")).toBeGreaterThan(0);
    await other.append([newStream()]);
    await until(() => watcher.events.length === 1, { timeoutMs: 3_000, what: "polling finds it" });
    await watcher.stop();
  });

  it("notifies nobody while it is alone, and whoever comes from the next append on", async () => {
    const heard: (number | undefined)[] = [];
    const fence = async (): Promise<void> => {
      await admin.query("select pg_notify('fence', '')");
      await until(() => heard.at(-1) === ownPid);
    };
    admin.on("notification", ({ processId }) => heard.push(processId));
    await admin.query("listen heliograph_log; listen fence");
    const ownPid = (await admin.query("select pg_backend_pid() as pid")).rows[0].pid as number;
    const log = await open();
    const watcher = watch(log, { after: 0n });
    for (let n = 0; n < 5; n++) await log.append([newStream()]);
    await until(() => watcher.events.length === 5);
    await fence();
    expect(heard).toEqual([ownPid]);

    const other = await open();
    const seen = watch(other, { after: 0n });
    await until(() => seen.caughtUp && heard.length > 1, { what: "the other one says so" });
    await log.append([newStream()]);
    await until(() => new Set(heard).size === 3, { what: "the first one notifies" });
    await Promise.all([watcher.stop(), seen.stop()]);
  });
});

describe("limits", () => {
  it("refuses at once when too many appends wait, and stores all that were taken", async () => {
    const log = await open({ maxWaiting: 100 });
    const calls = Array.from({ length: 150 }, () => log.append([newStream()]));
    const settled = await Promise.allSettled(calls);
    const refused = settled.filter((each) => each.status === "rejected");
    expect(refused).toHaveLength(50);
    expect(refused.every((each) => each.reason instanceof LogUnavailable)).toBe(true);
    expect(await log.head()).toBe(100n);
  });

  it("serves a subscriber that has fallen out of the ring from the database", async () => {
    const log = await open({ ring: { maxEvents: 10, maxBytes: 1_000_000 } });
    const other = await open();
    const watcher = watch(log, { after: 0n, maxEvents: 3 });
    const filtered = watch(log, { after: 0n, maxEvents: 3, types: loosely(["B"]) });
    for (let round = 0; round < 10; round++) {
      const types = Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? "A" : "B"));
      const from = round % 2 === 0 ? log : other;
      await from.append(types.map((type) => newStream({ type })));
    }
    await until(() => watcher.position === 400n && filtered.position === 400n);
    await watcher.stop();
    await filtered.stop();
    expect(watcher.events).toHaveLength(400);
    expect(isDense(watcher.events)).toBe(true);
    expect(filtered.events.map((each) => each.type)).toEqual(
      Array.from({ length: 200 }, () => "B"),
    );
  });

  it("stores an append of a thousand events in one piece", async () => {
    const log = await open();
    const events = Array.from({ length: 1_000 }, () => event());
    const outcomes = await log.append([newStream(), { ...newStream(), events }, newStream()]);
    expect(outcomes[1]).toMatchObject({ kind: "appended", revision: 999 });
    expect(await log.head()).toBe(1_002n);
  });
});

describe("damage", () => {
  it("stores the neighbours of an append that PostgreSQL refuses", async () => {
    const log = await open();
    await admin.query("alter table log.events add check (type <> 'Poison')");
    const calls = ["A", "B", "Poison", "C"].map((type) => log.append([newStream({ type })]));
    const settled = await Promise.allSettled(calls);
    expect(settled.map((each) => each.status)).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(await log.head()).toBe(3n);
    const { events } = await log.readAll({ after: 0n, limit: 10 });
    expect(isDense(events)).toBe(true);
  });

  it("hands out a damaged record as unreadable and goes on", async () => {
    const log = await open();
    await log.append([newStream(), newStream(), newStream()]);
    await admin.query("alter table log.events disable trigger user");
    await admin.query(`update log.events set data = '{"n":' where position = 2`);
    const { events } = await log.readAll({ after: 0n, limit: 10 });
    expect(events.map((each) => each.version)).toEqual([1, 0, 1]);
    expect(events[1]!.metadata["unreadable"]).toContain("SyntaxError");
  });

  it("refuses a checkpoint that lies beyond the end of the log", async () => {
    const log = await open();
    await log.append([newStream()]);
    const watcher = watch(log, { after: 2n });
    await expect(watcher.stop()).rejects.toBeInstanceOf(CheckpointAhead);
  });
});

describe("moving", () => {
  it("keeps checkpoints valid through a dump and a restore", async () => {
    const log = await open();
    await log.append(Array.from({ length: 5 }, () => newStream()));
    const checkpoint = 3n;
    const target = await testDatabase();
    const restored = await copy(target);
    await restored.append([newStream()]);
    const watcher = watch(restored, { after: checkpoint });
    await until(() => watcher.events.length === 3);
    await watcher.stop();
    expect(isDense(watcher.events, checkpoint)).toBe(true);
    const original = await log.readAll({ after: checkpoint, limit: 10 });
    expect(watcher.events.slice(0, 2)).toEqual(original.events);
    await restored.close();
    await target.drop();
  });

  /** Rows by hand, because the embedded server comes without pg_dump. */
  async function copy(target: TestDatabase): Promise<EventLog> {
    const restored = await openPostgresLog({ connection: target.config, namespace: "test" });
    const client = new pg.Client(target.config);
    await client.connect();
    for (const table of ["log.events", "log.head"]) {
      const { rows } = await admin.query(`select json_agg(t)::text as all from ${table} t`);
      await client.query("alter table log.events disable trigger user");
      await client.query(`truncate ${table}`);
      const insert = `insert into ${table} select * from json_populate_recordset(null::${table}, $1)`;
      await client.query(insert, [rows[0].all]);
    }
    await client.end();
    return restored;
  }

  it("lets many processes open a new database at once", async () => {
    const opened = await Promise.all(Array.from({ length: 5 }, () => open()));
    const outcomes = await Promise.all(opened.map((log) => log.append([newStream()])));
    expect(outcomes.flat().every((outcome) => outcome.kind === "appended")).toBe(true);
  });
});

async function refusal(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => undefined,
    (error: unknown) => error,
  );
}
