import { loosely, testDatabase, until, type TestDatabase } from "@heliograph/testkit";
import pg from "pg";
import { COPY_APPLICATION, COPY_LOCK } from "../src/postgres/copy-guard.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  copyLog,
  CopyRefused,
  openPostgresCopySource,
  openPostgresCopyTarget,
  openPostgresLog,
  verifyCopy,
  type EventLog,
} from "../src/index.ts";
import { calm, everything, fill, move } from "./copy-support.ts";
import { newStream, watch } from "./support.ts";

let from: TestDatabase;
let to: TestDatabase;
let logs: EventLog[];
beforeEach(async () => {
  [from, to] = await Promise.all([testDatabase(), testDatabase()]);
  logs = [];
});
afterEach(async () => {
  for (const log of logs) await log.close();
  await Promise.all([from.drop(), to.drop()]);
});

const open = async (database: TestDatabase): Promise<EventLog> => {
  const log = await openPostgresLog({ connection: database.config, namespace: "test" });
  logs.push(log);
  return log;
};
const source = () => openPostgresCopySource({ connection: from.config, namespace: "test" });
const target = () => openPostgresCopyTarget({ connection: to.config, namespace: "test" });

async function fillSource(rounds: number): Promise<void> {
  const log = await openPostgresLog({ connection: from.config, namespace: "test" });
  await fill(log, rounds);
  await log.close();
}

async function sql(database: TestDatabase, text: string): Promise<Record<string, string>[]> {
  const client = new pg.Client(database.config);
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/** Events are final until their table's owner says otherwise. */
const unlocked = "alter table log.events disable trigger user;";

/** A log with holes, as one that was copied from a driver whose positions are not dense. */
async function makeSparse(): Promise<void> {
  await sql(from, `${unlocked} update log.events set position = position * 100000 + 7`);
  await sql(
    from,
    "update log.head set position = position * 100000 + 50, copied = position * 100000 + 50",
  );
}

describe("a copy from PostgreSQL to PostgreSQL", () => {
  it("is equal in every field, and verify says so with one hash", async () => {
    await fillSource(300);
    const { copied, verified } = await move(await source(), await target());
    expect(verified).toMatchObject({
      equal: true,
      events: copied.events,
      sourceHash: verified.targetHash,
    });
    expect(copied.events).toBe(Number(copied.head));
    expect(await everything(await open(to))).toEqual(await everything(await open(from)));
  });

  it("goes on where it was stopped, wherever that was", async () => {
    await fillSource(700);
    for (const pages of [1, 2, 1]) {
      const [one, other] = [await source(), await target()];
      const abort = new AbortController();
      let seen = 0;
      const onProgress = () => void (++seen === pages && abort.abort(new Error("stopped")));
      const copying = copyLog({ source: one.log, target: other, signal: abort.signal, onProgress });
      await expect(copying).rejects.toThrow("stopped");
      await Promise.all([one.close(), other.close()]);
    }
    const { copied, verified } = await move(await source(), await target());
    expect(verified.equal).toBe(true);
    expect(copied.events).toBe(Number(copied.head) - 4 * 500);
    expect((await move(await source(), await target())).copied.events).toBe(0);
  });

  it("takes what was appended to the source since the last copy", async () => {
    await fillSource(20);
    const first = await move(await source(), await target());
    await fillSource(5);
    const { copied, verified } = await move(await source(), await target());
    expect(copied.events).toBe(Number(copied.head - first.copied.head));
    expect(verified.equal).toBe(true);
  });

  it("refuses a target that went another way, and says where", async () => {
    await fillSource(20);
    await move(await source(), await target());
    const elsewhere = await openPostgresLog({ connection: to.config, namespace: "test" });
    await elsewhere.append([newStream()]);
    const head = await elsewhere.head();
    await elsewhere.close();
    await expect(move(await source(), await target())).rejects.toThrow(
      `goes on to position ${head}`,
    );
    await fillSource(5);
    await expect(move(await source(), await target())).rejects.toThrow(
      `not a copy of the source: at position ${head} it has Tested`,
    );
  });

  it.each([
    [
      "data",
      "set data = replace(data, 'round', 'sound') where position = 303",
      303n,
      "data or metadata differ",
    ],
    ["a time", "set recorded_at = recorded_at + 1 where position = 17", 17n, "recordedAt differ"],
    ["a place", "set position = 100000 where position = 40", 40n, "the target lacks this event"],
  ])("fails verification when %s is damaged in the target", async (_, damage, position, what) => {
    await fillSource(100);
    await move(await source(), await target());
    await sql(to, `${unlocked} update log.events ${damage}`);
    const [one, other] = [await source(), await target()];
    const head = await one.log.head();
    const verified = await verifyCopy({ source: one.log, target: other.log, head, signal: calm });
    await Promise.all([one.close(), other.close()]);
    expect(verified).toMatchObject({ equal: false, difference: { position, what } });
    expect(verified.sourceHash).not.toBe(verified.targetHash);
  });

  it("refuses a record that cannot be read instead of copying its damage", async () => {
    await fillSource(3);
    await sql(from, `${unlocked} update log.events set data = '{' where position = 4`);
    await expect(move(await source(), await target())).rejects.toThrow(
      /position 4 .* cannot be read/,
    );
  });

  it("refuses while a service uses either side, and while another copy works there", async () => {
    await fillSource(1);
    const service = await openPostgresLog({ connection: from.config, namespace: "test" });
    await expect(source()).rejects.toThrow(/services use the database .*heliograph log test/);
    await service.close();
    const lease = new pg.Client({ ...to.config, application_name: "anything" });
    await lease.connect();
    await lease.query("select pg_advisory_lock(1)");
    await expect(target()).rejects.toThrow(/services use the database .*anything/);
    await lease.end();
    const first = await target();
    await expect(target()).rejects.toThrow("both ends of the copy are the same database");
    await first.close();
    const other = new pg.Client({ ...to.config, application_name: COPY_APPLICATION });
    await other.connect();
    await other.query(`select pg_advisory_lock(${COPY_LOCK})`);
    await expect(target()).rejects.toThrow("another copy-log works");
    await other.end();
    await (await target()).close();
  });

  it("refuses a source without a log, and an append to the target in between", async () => {
    await expect(source()).rejects.toThrow(CopyRefused);
    await fillSource(2);
    const [one, other] = [await source(), await target()];
    await sql(to, "update log.head set position = position + 1");
    const copying = copyLog({ source: one.log, target: other, signal: calm });
    await expect(copying).rejects.toThrow(CopyRefused);
    await Promise.all([one.close(), other.close()]);
  });
});

describe("a log whose positions have holes", () => {
  it("is copied with them, and goes on above its head", async () => {
    await fillSource(50);
    await makeSparse();
    const { copied, verified } = await move(await source(), await target());
    expect(verified.equal).toBe(true);
    const log = await open(to);
    expect(await log.head()).toBe(copied.head);
    const [outcome] = await log.append([newStream()]);
    expect(outcome).toMatchObject({ kind: "appended", position: copied.head + 1n });
  });

  it("gives a subscriber exactly what follows, from anywhere, filtered or not, and then what comes", async () => {
    await fillSource(300);
    await makeSparse();
    const { copied } = await move(await source(), await target());
    const log = await open(to);
    const all = await everything(log);
    const places = [
      0n,
      all[100]!.position,
      all[700]!.position - 1n,
      all.at(-1)!.position,
      copied.head,
    ];
    const watchers = places.flatMap((after) => [
      { after, types: undefined, watcher: watch(log, { after }) },
      {
        after,
        types: loosely(["Other"]),
        watcher: watch(log, { after, types: loosely(["Other"]), maxEvents: 50 }),
      },
    ]);
    for (const { watcher } of watchers) await until(() => watcher.caughtUp);
    await log.append([newStream(), newStream({ type: "Other" }), newStream()]);
    const other = await open(to);
    await other.append([newStream({ type: "Other" })]);
    const full = await everything(log);
    for (const { after, types, watcher } of watchers) {
      await until(() => watcher.position === copied.head + 4n);
      await watcher.stop();
      const following = full.filter(
        (one) => one.position > after && (types === undefined || types.includes(one.type)),
      );
      expect(watcher.events).toEqual(following);
    }
  });

  it("is scanned for a rare type in windows of events, not of positions", async () => {
    await fillSource(10);
    const log = await openPostgresLog({ connection: from.config, namespace: "test" });
    await log.append([newStream({ type: "Rare" })]);
    await log.close();
    await makeSparse();
    const opened = await open(from);
    const page = await opened.readAll({ after: 0n, limit: 10, types: loosely(["Rare"]) });
    expect(page.events).toHaveLength(1);
    expect(page.position).toBe(page.head);
  });
});
