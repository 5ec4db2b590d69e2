import {
  mkdtemp,
  open as openFile,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnService, testDatabase, until, type TestDatabase } from "@heliograph/testkit";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  archivePostgresLog,
  endingAt,
  LogUnavailable,
  lookAtArchives,
  openPostgresCopySource,
  openPostgresCopyTarget,
  openPostgresLog,
  restorePostgresLog,
  verifyPostgresLog,
  type EventLog,
  type RecordedEvent,
} from "../src/index.ts";
import { ARCHIVE_LOCK } from "../src/postgres/archive/archive.ts";
import { markFolder, readersWithout } from "../src/postgres/archive/folder.ts";
import { unpackBlock } from "../src/postgres/archive/format.ts";
import { READ_STATEMENTS } from "../src/postgres/reader.ts";
import { calm, everything, fill, move } from "./copy-support.ts";
import { event, newStream, watch } from "./support.ts";

let database: TestDatabase;
let client: pg.Client;
let archiveDir: string;
let log: EventLog;
let events: readonly RecordedEvent[];
/** A stream whose events are thousands of others apart. */
let longest: string;

const open = (over: Partial<Parameters<typeof openPostgresLog>[0]> = {}): Promise<EventLog> =>
  openPostgresLog({ connection: database.config, namespace: "test", archiveDir, reads, ...over });
const reads = { pageEvents: 200, pageBytes: 1_048_576, maxBytes: 64 * 1_048_576 };
const options = () => ({
  connection: database.config,
  archiveDir,
  signal: calm,
  evenRestored: true,
});
const number = async (sql: string): Promise<number> =>
  Number((await client.query(`select (${sql})::int as n`)).rows[0].n);
const archivedRows = () => number("select count(*) from log.events where data = ''");

beforeAll(async () => {
  database = await testDatabase();
  archiveDir = await mkdtemp(join(tmpdir(), "archive-"));
  client = new pg.Client(database.config);
  await client.connect();
  log = await open();
  await fill(log, 60);
  // Larger than a page together, and more blocks than one transaction changes.
  await log.append(
    Array.from({ length: 11 }, () => newStream({ data: { text: "x".repeat(262_144) } })),
  );
  await fill(log, 60);
  events = await everything(log);
  longest = events.find(({ stream }) => stream.startsWith("shared-"))!.stream;
}, 60_000);
afterAll(async () => {
  await log.close();
  await client.end();
  await database.drop();
  await rm(archiveDir, { recursive: true, force: true });
});

const ofStream = (stream: string) => events.filter((each) => each.stream === stream);

/** Every way to read, against what was read before anything was archived. */
async function expectAllReads(reader: EventLog): Promise<void> {
  expect(await everything(reader)).toEqual(events);
  expect(await reader.readStream(longest)).toEqual(ofStream(longest));
  expect(await Array.fromAsync(reader.scanStream(longest, { backwards: true }))).toEqual(
    ofStream(longest).toReversed(),
  );
  const streams = [...new Set(events.map(({ stream }) => stream))];
  const many = await reader.readStreams(streams);
  for (const stream of streams) expect(many.get(stream)).toEqual(ofStream(stream));
  for (const index of [0, 234, events.length - 1])
    expect(await reader.readAt(events[index]!.position)).toEqual(events[index]);
  const types = await reader.readAll({ after: 0n, limit: 30, types: ["Other" as never] });
  expect(types.events).toEqual(events.filter(({ type }) => String(type) === "Other").slice(0, 30));
  const past = await endingAt(reader, events[400]!.position).readStream(longest);
  expect(past).toEqual(ofStream(longest).filter(({ position }) => position <= 401n));
}

/** Reads again and again while something is done to the log. */
async function beside<T>(work: Promise<T>): Promise<T> {
  let isOver = false;
  const done = work.finally(() => (isOver = true));
  do {
    expect(await everything(log)).toEqual(events);
    expect(await log.readStream(longest)).toEqual(ofStream(longest));
  } while (!isOver);
  return done;
}

const verified = () =>
  verifyPostgresLog(database.config, { flawOf: () => undefined, signal: calm, archiveDir });

test("while a log is archived and restored its readers see every event as it was, and afterwards everything reads, verifies and copies the same", async () => {
  const { hash } = await verified();
  const through = BigInt(events.length - 50);
  const archived = await archivePostgresLog({ ...options(), through, fileEvents: 250 });
  expect(archived).toEqual({ events: events.length - 50, files: 3 });
  expect(await archivedRows()).toBe(events.length - 50);
  await expectAllReads(log);
  // Rows without bodies fill a page too, and are not all fetched at once.
  const streams = [...new Set(events.map(({ stream }) => stream))];
  const { rowCount } = await client.query(READ_STATEMENTS.MANY, [streams, 200, 10_000]);
  expect(rowCount).toBe(40);
  const fresh = await open();
  const watcher = watch(fresh, { after: 0n });
  await until(() => watcher.caughtUp, { what: "a subscriber that began at the start" });
  expect(watcher.events).toEqual(events);
  await watcher.stop();
  await fresh.close();
  expect(await verified()).toEqual({
    events: events.length,
    position: events.at(-1)!.position,
    compared: 0,
    hash,
  });
  const to = await testDatabase();
  const { verified: copied } = await move(
    await openPostgresCopySource({ ...options(), namespace: "test", servicesMayRun: true }),
    await openPostgresCopyTarget({ connection: to.config, namespace: "test" }),
  );
  expect(copied).toMatchObject({ equal: true, events: events.length });
  await to.drop();

  const restored = await beside(restorePostgresLog({ ...options(), after: 0n }));
  expect(restored.events).toBe(events.length - 50);
  expect(await archivedRows()).toBe(0);
  // Nothing of it is read from files any more.
  const without = await open({ archiveDir: undefined });
  await expectAllReads(without);
  await without.close();
  expect((await verified()).hash).toBe(hash);
}, 60_000);

test("appends to archived streams have the outcomes that they had: duplicates, conflicts and the next revision", async () => {
  await archivePostgresLog({ ...options(), through: 100n });
  const stream = events[0]!.stream;
  const stored = ofStream(stream);
  const again = stored.map(({ id, type, version, data, metadata }) => ({
    id,
    type,
    version,
    data,
    metadata,
  }));
  const last = stored.at(-1)!;
  const writer = await open();
  const outcomes = await writer.append([
    { stream, expected: "no_stream", events: again.slice(0, 3) },
    { stream, expected: "no_stream", events: [event()] },
    { stream, expected: 0, events: again.slice(1) },
    { stream, expected: 1, events: [again[1]!] },
    { stream, expected: last.revision - 1, events: [event()] },
  ]);
  expect(outcomes).toEqual([
    {
      kind: "duplicate",
      revision: 2,
      position: stored[2]!.position,
      recordedAt: stored[2]!.recordedAt,
    },
    { kind: "conflict", actual: last.revision },
    {
      kind: "duplicate",
      revision: last.revision,
      position: last.position,
      recordedAt: last.recordedAt,
    },
    { kind: "conflict", actual: last.revision },
    { kind: "conflict", actual: last.revision },
  ]);
  const [one] = await writer.append([{ stream, expected: "no_stream", events: [again[0]!] }]);
  expect(one).toMatchObject({ kind: "duplicate", revision: 0, position: stored[0]!.position });
  await writer.close();
  await restorePostgresLog({ ...options(), after: 0n });
}, 30_000);

test("a process that is killed at any step of an archive or a restore loses nothing, and the next run ends it", async () => {
  const kill = async (verb: string, failpoint: string): Promise<void> => {
    const child = spawnService(
      new URL("archive-child.ts", import.meta.url).pathname,
      { HELIOGRAPH_FAILPOINT: failpoint },
      [verb, JSON.stringify(database.config), archiveDir],
    );
    expect(await child.exited, child.output()).toMatchObject({
      signal: "SIGKILL",
    });
    expect(await everything(log)).toEqual(events);
  };
  const states = async () =>
    (await client.query("select state from log.archives where last = 400")).rows;
  await client.query("delete from log.archives");
  await kill("archive", "archive.written:kill");
  expect(await states()).toEqual([]);
  await kill("archive", "archive.registered:kill");
  expect(await states()).toEqual([{ state: "emptying" }]);
  expect(await archivedRows()).toBe(0);
  await kill("archive", "archive.changed:kill@2");
  const some = await archivedRows();
  expect(some).toBeGreaterThan(0);
  expect(some).toBeLessThan(600);
  await kill("archive", "archive.ended:kill");
  expect(await states()).toEqual([{ state: "emptying" }]);
  expect(await archivedRows()).toBe(400);
  await archivePostgresLog({ ...options(), through: 600n });
  expect(await states()).toEqual([{ state: "archived" }]);
  expect(await archivedRows()).toBe(600);
  await kill("restore", "archive.changed:kill@2");
  expect(await archivedRows()).toBeLessThan(600);
  expect(await archivedRows()).toBeGreaterThan(0);
  await restorePostgresLog({ ...options(), after: 0n });
  expect(await archivedRows()).toBe(0);
  await expectAllReads(log);
}, 60_000);

test("what is not in the archive as it was written is unreadable and the rest goes on, what is away is unavailable, and nothing is left out or taken for something else; and no row goes that the file does not have", async () => {
  await archivePostgresLog({ ...options(), through: 100n });
  const { rows } = await client.query(
    "select file from log.archives where state = 'archived' order by last",
  );
  const path = join(archiveDir, `${rows[0].file}.zst`);
  // Frames one after the other, which the program zstd unpacks too.
  const manifest = JSON.parse(await readFile(join(archiveDir, `${rows[0].file}.json`), "utf8"));
  const [first] = manifest.blocks;
  const block = await unpackBlock((await readFile(path)).subarray(0, first.bytes));
  expect(block.at("1").row[2]).toBe(events[0]!.stream);

  const damage = async (): Promise<void> => {
    const file = await openFile(path, "r+");
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, 100);
    byte[0]! ^= 1;
    await file.write(byte, 0, 1, 100);
    await file.close();
  };
  const refuses = async (what: RegExp, over = {}): Promise<void> => {
    const reader = await open(over);
    for (const read of [
      () => reader.readAll({ after: 0n, limit: 10 }),
      () => reader.readStream(longest),
      () => reader.readAt(1n),
    ]) {
      const error = await read().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(LogUnavailable);
      expect(String(error)).toMatch(what);
    }
    await reader.close();
  };
  await damage();
  let failures = 0;
  const reader = await open({
    watch: { opened() {}, flushed() {}, archiveFailed: () => void failures++ },
  });
  const read = await everything(reader);
  expect(read.length).toBe(events.length);
  const broken = read.slice(0, 100);
  expect(read.slice(100)).toEqual(events.slice(100));
  for (const [index, each] of broken.entries()) {
    expect(each).toMatchObject({ position: events[index]!.position, version: 0, data: null });
    expect(each.metadata["unreadable"]).toMatch(/\.zst: the block at 0 was changed/);
  }
  expect(failures).toBeGreaterThan(0);
  expect(await reader.readAt(1n)).toEqual(read[0]);
  expect((await verified()).flaw).toMatchObject({
    position: 1n,
    what: expect.stringContaining("the block at 0 was changed"),
  });
  await expect(restorePostgresLog({ ...options(), after: 0n })).rejects.toThrow("was changed");
  await damage();
  // The same process finds it mended.
  expect(await everything(reader)).toEqual(events);
  await reader.close();
  await rename(path, `${path}.away`);
  await refuses(/no such file/);
  await rename(`${path}.away`, path);
  await refuses(/no folder of archives is known/, { archiveDir: undefined });
  await restorePostgresLog({ ...options(), after: 0n });

  // A row that is not what was written to the file stays: here it changes while the file is written.
  await client.query("update log.archives set state = 'emptying'");
  await client.query("alter table log.events disable trigger user");
  const change = (from: string, to: string) =>
    client.query("update log.events set data = replace(data, $1, $2) where position = 7", [
      from,
      to,
    ]);
  await change("żółć", "zolc");
  await expect(archivePostgresLog({ ...options(), through: 100n })).rejects.toThrow(
    /are not those in the archive/,
  );
  expect(await archivedRows()).toBe(0);
  await change("zolc", "żółć");
  await client.query("alter table log.events enable trigger user");
  await restorePostgresLog({ ...options(), after: 0n });
  await expectAllReads(log);
}, 60_000);

test("only a transaction that archives changes events, and of them only whether the bodies are in the table; one works at a time", async () => {
  const refused = async (sql: string, archiving = true): Promise<void> => {
    await client.query("begin");
    if (archiving) await client.query("set local heliograph.archive = 'on'");
    await expect(client.query(sql)).rejects.toThrow("events of the log are final");
    await client.query("rollback");
  };
  await refused("update log.events set data = '' where position = 1", false);
  await refused("update log.events set data = '{}' where position = 1");
  await refused("update log.events set data = '', stream = 'x' where position = 1");
  await refused("update log.events set id = gen_random_uuid() where position = 1");
  await refused("delete from log.events where position = 1");
  await client.query("select pg_advisory_lock($1)", [ARCHIVE_LOCK]);
  await expect(archivePostgresLog({ ...options(), through: 600n })).rejects.toThrow(
    /another archive or restore is at work/,
  );
  await client.query("select pg_advisory_unlock($1)", [ARCHIVE_LOCK]);
}, 30_000);

test("nothing is taken out of the table where a process that reads it does not have the folder", async () => {
  const attempt = async (over: Partial<ReturnType<typeof options>> = {}) =>
    archivePostgresLog({ ...options(), through: 100n, ...over });
  await attempt();
  const stays = await archivedRows();
  const elsewhere = await mkdtemp(join(tmpdir(), "elsewhere-"));
  // An empty place where the folder would be mounted.
  await expect(attempt({ archiveDir: elsewhere })).rejects.toThrow(/not mounted, or another/);
  const heard: unknown[] = [];
  const onError = (error: unknown) => void heard.push(error);
  const reader = await open({ archiveDir: elsewhere, onError });
  await until(() => heard.length > 0, { what: "the reader says that it cannot read the archive" });
  expect(String(heard[0])).toMatch(/is not the folder of the archive/);
  const pool = new pg.Pool({ ...database.config, max: 1 });
  expect((await lookAtArchives(pool, elsewhere, calm)).flaws[0]).toMatch(/not the folder/);
  expect((await lookAtArchives(pool, archiveDir, calm)).flaws).toEqual([]);
  const { rows: marks } = await pool.query("select id from log.archive_identity");
  const identity = { id: marks[0].id, database: database.config.database! };
  expect(await readersWithout(pool, identity, calm, 0)).toHaveLength(1);
  // What it has not now it may have later.
  await markFolder(elsewhere, identity);
  await until(async () => (await readersWithout(pool, identity, calm, 0)).length === 0, {
    what: "the reader says that it has the folder",
  });
  await reader.close();
  await pool.end();
  // The newest file is not there.
  const refused = attempt({ archiveDir: elsewhere });
  await expect(refused).rejects.toThrow(/no such file/);
  expect(await archivedRows()).toBe(stays);
  await rm(elsewhere, { recursive: true });
  await restorePostgresLog({ ...options(), after: 0n });
}, 30_000);

const partials = async () =>
  (await readdir(archiveDir, { recursive: true })).filter((name) => name.endsWith(".partial"));

test("what stops an archive is what is said of it, and nothing half-written stays: an interruption, a folder that takes no file", async () => {
  const interruption = new AbortController();
  const onProgress = () => interruption.abort(new Error("interrupted"));
  const { signal } = interruption;
  const stopped = archivePostgresLog({
    ...options(),
    signal,
    onProgress,
    through: 600n,
    fileEvents: 50,
  });
  await expect(stopped).rejects.toThrow(/^interrupted$/);
  const resting = new AbortController();
  const slowly = { ...options(), share: 1e-6, fileEvents: 50, signal: resting.signal };
  const rests = archivePostgresLog({ ...slowly, through: 600n });
  await until(async () => (await partials()).length > 0, { what: "a file is begun" });
  await expectAllReads(log);
  expect(await partials()).toHaveLength(1);
  resting.abort(new Error("enough"));
  await expect(rests).rejects.toThrow(/^enough$/);
  const file = join(archiveDir, "no folder");
  await writeFile(file, "");
  const full = await archivePostgresLog({
    ...options(),
    archiveDir: file,
    through: 600n,
    fileEvents: 50,
  }).catch((error: unknown) => error);
  expect(full).not.toBeInstanceOf(LogUnavailable);
  await restorePostgresLog({ ...options(), after: 0n });
  expect(await partials()).toEqual([]);
}, 30_000);

test("what was put back stays, until somebody says otherwise; and a reader that knows a file which is gone finds the one that has come in its place", async () => {
  await archivePostgresLog({ ...options(), through: 600n });
  const reader = await open();
  expect(await reader.readAt(1n)).toEqual(events[0]);
  const { rows } = await client.query("select file from log.archives where last = 600");
  await restorePostgresLog({ ...options(), after: 0n });
  const again = { ...options(), evenRestored: false, through: 640n };
  await expect(archivePostgresLog(again)).rejects.toThrow(
    /^the events from 1 to \d+ were put back/,
  );
  await client.query("update log.archives set state = 'filling' where last = 600");
  await expect(archivePostgresLog(again)).rejects.toThrow("--even-restored");
  await client.query("update log.archives set state = 'restored' where last = 600");
  expect(await archivedRows()).toBe(0);

  await rm(join(archiveDir, `${rows[0].file}.zst`));
  await archivePostgresLog({ ...again, evenRestored: true });
  // Of the file it knows, and of another block than the one that it has.
  expect(await reader.readAt(600n)).toEqual(events[599]);
  await reader.close();
  await restorePostgresLog({ ...options(), after: 0n });
}, 30_000);

test("a process of this release starts while a dump reads the table, and no append waits", async () => {
  const older = await testDatabase();
  const dump = new pg.Client(older.config);
  await dump.connect();
  await (await open({ connection: older.config })).close();
  await dump.query(
    "drop table log.archives, log.archive_identity; delete from log.migrations where number >= 4",
  );
  // It is not for an archive to bring an older fleet's tables to this release.
  const early = archivePostgresLog({ ...options(), connection: older.config, through: 1n });
  await expect(early).rejects.toThrow("start the new version first");
  await dump.query("begin; select count(*) from log.events");
  const started = await open({ connection: older.config });
  expect((await started.append([newStream()]))[0]).toMatchObject({ kind: "appended" });
  await started.close();
  await dump.query("commit");
  await dump.end();
  await older.drop();
}, 20_000);
