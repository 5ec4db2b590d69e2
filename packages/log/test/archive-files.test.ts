import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testDatabase, until } from "@heliograph/testkit";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  archivePostgresLog,
  openPostgresLog,
  restorePostgresLog,
  type ArchiveSize,
} from "../src/index.ts";
import { readBlock, readManifest, writeArchive } from "../src/postgres/archive/files.ts";
import type { ArchivedRow } from "../src/postgres/archive/format.ts";
import { calm, everything, fill } from "./copy-support.ts";

let archiveDir: string;
beforeAll(async () => {
  archiveDir = await mkdtemp(join(tmpdir(), "archive-files-"));
});
afterAll(() => rm(archiveDir, { recursive: true, force: true }));

const partials = async () =>
  (await readdir(archiveDir, { recursive: true })).filter((name) => name.endsWith(".partial"));

const rowAt = (position: number): ArchivedRow => ({
  row: [`${position}`, "id", "s", "0", "Type", "1", "0", `{"of":${position}}`, "{}"],
  chain: null,
});
const archiveOf = (pages: AsyncGenerator<readonly ArchivedRow[]>) =>
  writeArchive(archiveDir, { own: "shared-1", database: "shared" }, pages);

test("two writers at once in one folder have each its own file", async () => {
  // Each goes on only when the other has begun.
  const begun = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const written = await Promise.all(
    [0, 1].map((which) =>
      archiveOf(
        (async function* () {
          begun[which]!.resolve();
          await begun[1 - which]!.promise;
          yield [rowAt(which + 1)];
        })(),
      ),
    ),
  );
  for (const [which, { file }] of written.entries()) {
    const { blocks } = await readManifest(archiveDir, file);
    const block = await readBlock(archiveDir, file, blocks[0]!);
    expect(block.at(`${which + 1}`)).toEqual(rowAt(which + 1));
  }
  expect(await partials()).toEqual([]);
});

test("what a full disk stops leaves nothing, and is said as it is", async () => {
  const broken = (async function* () {
    yield [rowAt(1)];
    throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC", syscall: "write" });
  })();
  const failed = await archiveOf(broken).catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: "ENOSPC" });
  expect(await partials()).toEqual([]);
}, 30_000);

test("of named categories alone streams are archived: of the others nothing is read from files, and a further run goes on behind the last; the table is vacuumed on the way, and what is archived is told", async () => {
  const database = await testDatabase();
  const pool = new pg.Pool({ ...database.config, max: 1 });
  const number = async (sql: string) =>
    Number((await pool.query(`select (${sql})::int as n`)).rows[0].n);
  const archived = () => number("select count(*) from log.events where data = ''");
  const vacuums = () =>
    number("select vacuum_count from pg_stat_user_tables where relname = 'events'");
  const open = (over: Partial<Parameters<typeof openPostgresLog>[0]> = {}) =>
    openPostgresLog({ connection: database.config, namespace: "test", archiveDir, ...over });
  const log = await open();
  await fill(log, 60);
  const events = await everything(log);
  const own = events.filter(({ stream }) => stream.startsWith("own-"));
  const shared = events.filter(({ stream }) => stream.startsWith("shared-"));

  const options = { connection: database.config, archiveDir, signal: calm };
  const ownOnly = { ...options, categories: ["own"], fileEvents: 50, vacuumEvents: 100 };
  const half = own[own.length / 2]!.position;
  await archivePostgresLog({ ...ownOnly, through: half });
  expect(await archived()).toBe(own.length / 2 + 1);
  expect(await vacuums()).toBeGreaterThanOrEqual(2);
  await archivePostgresLog({ ...ownOnly, through: events.at(-1)!.position });
  expect(await archived()).toBe(own.length);

  const told: ArchiveSize[] = [];
  const archivedSize = (size: ArchiveSize) => void told.push(size);
  const watch = { opened() {}, flushed() {}, archived: archivedSize };
  const without = await open({ archiveDir: undefined });
  expect(await without.readStream(shared[0]!.stream)).toEqual(shared);
  await without.close();
  const reader = await open({ watch });
  expect(await everything(reader)).toEqual(events);
  await until(() => told.length > 0, { what: "the archive's size is told" });
  await reader.close();
  const { rows } = await pool.query("select file from log.archives");
  const sizes = await Promise.all(rows.map(({ file }) => stat(join(archiveDir, `${file}.zst`))));
  expect(told[0]).toEqual({
    events: own.length,
    bytes: sizes.reduce((sum, { size }) => sum + size, 0),
    position: Number(own.at(-1)!.position),
  });
  await restorePostgresLog({ ...options, after: 0n });
  expect(await archived()).toBe(0);
  expect(await everything(log)).toEqual(events);
  await log.close();
  await pool.end();
  await database.drop();
}, 30_000);
