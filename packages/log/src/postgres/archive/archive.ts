import { setTimeout as pause } from "node:timers/promises";
import { failpoint } from "@heliograph/contracts";
import type pg from "pg";
import type { Position } from "../../types.ts";
import { withClient } from "../connection.ts";
import { chainedPage, type EventRow } from "../rows.ts";
import { logMigrations } from "../schema.ts";
import { isArchived } from "./bodies.ts";
import {
  hasFiles,
  identityOf,
  isFolderOf,
  markFolder,
  nameOf,
  readersWithout,
  type Identity,
} from "./folder.ts";
import {
  ArchiveDamaged,
  lookAtArchive,
  readBlock,
  readManifest,
  writeArchive,
  type ArchiveFile,
} from "./files.ts";
import type { ArchivedRow, Block, BlockPlace, Manifest } from "./format.ts";
import type { ArchiveState } from "./tables.ts";

/** Another one is at work, or the table is not as it must be. Nothing was changed. */
export class ArchiveRefused extends Error {
  override readonly name = "ArchiveRefused";
}

export type ArchiveOptions = {
  /** The database of the namespace, its primary. */
  readonly connection: pg.PoolConfig;
  /** Where files are: for every process that reads the log the same. */
  readonly archiveDir: string;
  /** Most events of a file. Default 200,000, some 100 MB of JSON. */
  readonly fileEvents?: number;
  /** Of the time, at most, that is worked and not rested, so that whoever serves meanwhile has the rest of the disk: above 0, default 1. */
  readonly share?: number | undefined;
  /** Least emptied rows between two vacuums. Default 1,000,000. */
  readonly vacuumEvents?: number;
  readonly onProgress?: (done: number, position: Position) => void;
  /** Ends the work between two transactions; another run goes on. */
  readonly signal: AbortSignal;
};

export type Archived = { readonly events: number; readonly files: number };

/** Held by who works. Any constant does; this one spells "hela". */
export const ARCHIVE_LOCK = 0x68656c61;
const STATEMENT_TIMEOUT_MS = 120_000;
const FILE_EVENTS = 200_000;
const PAGE_EVENTS = 2_000;
const PAGE_BYTES = 8 * 1_048_576;
const APPLICATION = "heliograph ops";
/** Blocks whose rows are changed by one transaction: it takes a fifth of a second, and while it lasts PostgreSQL keeps every state that the log's head has gone through. */
const BLOCKS_AT_ONCE = 10;
/** A step that stood still for a minute, behind a lock say, is not followed by one of idleness for every share that is left. */
const MOST_REST_MS = 60_000;
/** A vacuum looks through both indexes, so it comes when it is worth that; and when a twentieth of the table waits for it at the latest, so that a first archive does not let the table grow by more. */
const VACUUM_EVENTS = 1_000_000;
const VACUUM_SHARE = 1 / 20;

/** Of some categories of streams, or of all: `$4`. */
const OF_CATEGORIES = "($4::text[] is null or split_part(stream, '-', 1) = any($4))";
const FILE_END = `select max(position) as last from (
    select position from log.events where position > $1 and position <= $2 and ${OF_CATEGORIES} order by position limit $3) f`;
const DEAD = `select greatest(c.reltuples, 0)::bigint as rows, pg_stat_get_dead_tuples(c.oid) as dead
  from pg_class c where c.oid = 'log.events'::regclass`;
const REACHED = "select coalesce(max(last), 0) as last from log.archives where state <> 'restored'";
const REGISTER = `insert into log.archives (first, last, events, file, sha256, state) values ($1, $2, $3, $4, decode($5, 'hex'), 'emptying')
  on conflict (last) do update set first = excluded.first, events = excluded.events, file = excluded.file, sha256 = excluded.sha256,
    state = excluded.state, archived_at = excluded.archived_at`;
const FILES = `select first, last, file as name, encode(sha256, 'hex') as sha256 from log.archives
  where state = any($1) and last > $2 order by last`;
const RESTORED = `select min(first) as first, max(last) as last from log.archives
  where state = 'filling' or (state = 'restored' and last > (${REACHED}) and first <= $1)`;
const MIGRATED = "select to_regclass('log.migrations') is not null as there";
const MIGRATION = "select coalesce(max(number), 0) as done from log.migrations";
const NEWEST = `select file as name, encode(sha256, 'hex') as sha256 from log.archives where state <> 'restored' order by last desc limit 1`;
const SET_STATE = "update log.archives set state = $2 where last = $1";

/** Takes the bodies of a block out of the table if they are those in the file, which the digest tells, and all of them are there. */
const EMPTY = `with whole as (
    select count(*) as events, sha256(convert_to(string_agg(data || E'\\n' || metadata, E'\\n' order by position), 'UTF8')) as digest
      from log.events where position = any($1) and data <> ''
  )
  update log.events e set data = '', metadata = '' from whole
   where e.position = any($1) and whole.events = cardinality($1) and whole.digest = decode($2, 'hex')`;
const FILL = `update log.events e set data = x.data, metadata = x.metadata
  from unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[]) as x (position, id, data, metadata)
  where e.position = x.position and e.id = x.id and e.data = ''`;
const COUNT = `select count(*) filter (where data = '') as archived, count(*) as events from log.events
  where position = any($1)`;

type Files = ArchiveFile & { readonly first: string; readonly last: string };

/** Looks whether the files of every archived event are there, in their size; gives how many, and what is wrong with the first ten that are not. */
export async function lookAtArchives(
  pool: pg.Pool,
  archiveDir: string,
  signal: AbortSignal,
): Promise<{ readonly files: number; readonly bytes: number; readonly flaws: readonly string[] }> {
  const { rows } = await pool.query<Files>(FILES, [["emptying", "archived", "filling"], "0"]);
  const flaws: string[] = [];
  if (rows.length > 0 && !(await isFolderOf(archiveDir, await identityOf(pool))))
    flaws.push(`${archiveDir} is not the folder of this log's archive: not mounted, or another`);
  let bytes = 0;
  for (const file of rows) {
    signal.throwIfAborted();
    try {
      bytes += (await lookAtArchive(archiveDir, file)).bytes;
    } catch (error) {
      if (!(error instanceof ArchiveDamaged)) throw error;
      if (flaws.push(error.message) === MOST_FLAWS) break;
    }
  }
  return { files: rows.length, bytes, flaws };
}
const MOST_FLAWS = 10;

/**
 * Moves the bodies of events up to a position out of the table into files, which every reader of the log reads in their place. Services may go on. A file is on the disk, whole and read back, and its digest is in the database,
 * before the first row is emptied, and a row only together with its block, if the file has what the rows have. Whatever stops it, the next run goes on there.
 *
 * Throws ArchiveRefused, ArchiveDamaged, LogUnavailable.
 */
export const archivePostgresLog = (
  options: ArchiveOptions & {
    /** A function is asked once it is certain that something may be archived. */
    readonly through: Position | (() => Promise<Position>);
    /** Only events of streams of these categories, which are to be the same at each run: what lies before a file's end is not looked at again. All of them where there are none. */
    readonly categories?: readonly string[] | undefined;
    /** Also what somebody has put back, or has begun to. */
    readonly evenRestored?: boolean | undefined;
  },
): Promise<Archived> =>
  withSession(options, async (client) => {
    const { rows } = await client.query("select sealed from log.head");
    const sealed = BigInt(rows[0].sealed);
    const { through } = options;
    const wanted = typeof through === "bigint" ? through : await through();
    const end = wanted < sealed ? wanted : sealed;
    if (options.evenRestored !== true) await refuseRestored(client, end);
    const identity = await requireFolder(client, options);
    const step = stepsOf(client, options, ["emptying", "archived"], emptyBlock);
    let files = 0;
    // What another run has begun, or a restore that was cut off.
    for (const file of await filesIn(client, ["emptying", "filling"], 0n)) await step.change(file);
    for (;;) {
      const file = await writeNext(client, { ...options, rest: step.rest }, identity, end);
      if (file === undefined) break;
      await step.change(file);
      files++;
    }
    return { events: await step.end(), files };
  });

/**
 * Puts the bodies of events back into the table, from the files that reach behind a position. The files stay, for readers that have just found events archived, and for backups of before. Services may go on.
 *
 * Throws ArchiveRefused, ArchiveDamaged, LogUnavailable.
 */
export const restorePostgresLog = (
  options: ArchiveOptions & { readonly after: Position },
): Promise<Archived> =>
  withSession(options, async (client) => {
    const step = stepsOf(client, options, ["filling", "restored"], fillBlock);
    const files = await filesIn(client, ["emptying", "archived", "filling"], options.after);
    // The newest first: what is archived is the beginning of the log at any time.
    for (const file of files.toReversed()) await step.change(file);
    return { events: await step.end(), files: files.length };
  });

/** Processes of an earlier release take archived events for unreadable: it is not an archive that brings the tables of theirs to this release. */
async function requireMigrated(client: pg.Client): Promise<void> {
  const { rows } = await client.query(MIGRATED);
  const done = rows[0].there === "t" ? (await client.query(MIGRATION)).rows[0].done : "0";
  if (Number(done) === logMigrations) return;
  throw new ArchiveRefused(
    Number(done) < logMigrations
      ? "the tables of the log are those of an earlier release: start the new version first, everywhere"
      : "the tables of the log are those of a later release: archive with that one",
  );
}

const withSession = <T>(
  { connection }: ArchiveOptions,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> =>
  withClient(
    { ...connection, statement_timeout: STATEMENT_TIMEOUT_MS },
    APPLICATION,
    async (client) => {
      await requireMigrated(client);
      const { rows } = await client.query(`select pg_try_advisory_lock(${ARCHIVE_LOCK}) as held`);
      if (rows[0].held !== "t")
        throw new ArchiveRefused("another archive or restore is at work on this database");
      return work(client);
    },
  );

const filesIn = async (
  client: pg.Client,
  states: readonly ArchiveState[],
  after: Position,
): Promise<readonly Files[]> =>
  (await client.query(FILES, [states, after.toString()])).rows as readonly Files[];

/** What somebody has put back stays where it is until somebody says otherwise: an archive that runs by itself would take it out again, beside a restore that was interrupted at once. */
async function refuseRestored(client: pg.Client, end: Position): Promise<void> {
  const { rows } = await client.query(RESTORED, [end.toString()]);
  if (rows[0].first !== null)
    throw new ArchiveRefused(
      `the events from ${rows[0].first} to ${rows[0].last} were put back by a restore: archive with --even-restored to take them out again`,
    );
}

/** What is taken out of the table must be there for everybody who reads it: in the log's own folder, which all processes have. */
async function requireFolder(
  client: pg.Client,
  { archiveDir, signal }: ArchiveOptions,
): Promise<Identity> {
  const identity = await identityOf(client);
  if (!(await isFolderOf(archiveDir, identity))) {
    if (await hasFiles(client))
      throw new ArchiveRefused(
        `${archiveDir} is not the folder with what is archived of this log: not mounted, or another?`,
      );
    await markFolder(archiveDir, identity);
  }
  const { rows } = await client.query(NEWEST);
  if (rows[0] !== undefined) await lookAtArchive(archiveDir, rows[0] as ArchiveFile);
  const without = await readersWithout(client, identity, signal);
  if (without.length > 0)
    throw new ArchiveRefused(
      `${without.length} processes that read the log do not have the folder ${archiveDir}, or are of an earlier release: ${without
        .slice(0, MOST_FLAWS)
        .map(({ pid, host }) => `backend ${pid} from ${host}`)
        .join(", ")}`,
    );
  return identity;
}

type Writing = Parameters<typeof archivePostgresLog>[0] & Pick<Steps, "rest">;

/** Writes the next file and registers it; undefined where no event is left. */
async function writeNext(
  client: pg.Client,
  { archiveDir, fileEvents = FILE_EVENTS, categories, signal, rest }: Writing,
  identity: Identity,
  end: Position,
): Promise<Files | undefined> {
  const { rows: reached } = await client.query(REACHED);
  const after = reached[0].last as string;
  const { rows } = await client.query(FILE_END, [
    after,
    end.toString(),
    fileEvents,
    categories ?? null,
  ]);
  const last = rows[0].last as string | null;
  if (last === null) return undefined;
  const pages = readPages(client, [after, last], { categories, signal, rest });
  const { file, manifest } = await writeArchive(
    archiveDir,
    { own: nameOf(identity), database: identity.database },
    pages,
  );
  // As it is on the disk: a file that cannot be read shows now, and not when it is needed.
  for (const place of (await readManifest(archiveDir, file)).blocks)
    await readBlock(archiveDir, file, place);
  const { first, events } = manifest;
  await failpoint("archive.written");
  await client.query(REGISTER, [first, last, events, file.name, file.sha256]);
  await failpoint("archive.registered");
  return { ...file, first, last };
}

async function* readPages(
  client: pg.Client,
  [after, last]: readonly [string, string],
  { categories, signal, rest }: Pick<Writing, "categories" | "signal" | "rest">,
): AsyncGenerator<readonly ArchivedRow[]> {
  const text = chainedPage(PAGE_BYTES, OF_CATEGORIES);
  for (let from = after; from !== last;) {
    signal.throwIfAborted();
    const { rows } = await client.query({
      name: "archive_page",
      text,
      values: [from, last, PAGE_EVENTS, categories ?? null],
      rowMode: "array",
    });
    const page = (rows as [string, string | null, ...EventRow][]).map(
      ([, chain, ...row]): ArchivedRow => ({ row, chain }),
    );
    const archived = page.find(({ row }) => isArchived(row, 0));
    if (archived !== undefined)
      throw new ArchiveRefused(`position ${archived.row[0]} is archived, and no archive has it`);
    from = page.at(-1)!.row[0];
    yield page;
    await rest();
  }
}

/** Changes the rows of one block; false where it had been done before. */
type ChangeBlock = (client: pg.Client, block: Block, place: BlockPlace) => Promise<boolean>;

type Steps = {
  /** Takes a file's blocks through the change, some in each transaction, and tells of it before and after. */
  change(file: Files): Promise<void>;
  /** Between two steps. */
  rest(): Promise<void>;
  /** Leaves the table ready for what comes; gives how many events were changed. */
  end(): Promise<number>;
};

function stepsOf(
  client: pg.Client,
  { archiveDir, signal, onProgress, share = 1, vacuumEvents = VACUUM_EVENTS }: ArchiveOptions,
  [during, afterwards]: readonly [ArchiveState, ArchiveState],
  change: ChangeBlock,
): Steps {
  let [changed, vacuumed] = [0, 0];
  /** What another run has left, as PostgreSQL counts it. */
  let left: number | undefined;
  let since = performance.now();

  async function rest(): Promise<void> {
    const restMs = Math.min((performance.now() - since) * (1 / share - 1), MOST_REST_MS);
    if (restMs > 0) await pause(restMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    since = performance.now();
  }

  /** Until its old row is vacuumed, each changed event takes its room twice. */
  async function tidy(): Promise<void> {
    const { rows } = await client.query(DEAD);
    left ??= Number(rows[0].dead);
    const most = Math.max(vacuumEvents, Number(rows[0].rows) * VACUUM_SHARE);
    if (left + changed - vacuumed < most) return;
    await vacuum(client);
    left = 0;
    vacuumed = changed;
  }

  return {
    rest,
    async change(file) {
      const { blocks }: Manifest = await readManifest(archiveDir, file);
      await client.query(SET_STATE, [file.last, during]);
      const before = changed;
      for (let from = 0; from < blocks.length; from += BLOCKS_AT_ONCE) {
        signal.throwIfAborted();
        const places = blocks.slice(from, from + BLOCKS_AT_ONCE);
        const read = await Promise.all(places.map((place) => readBlock(archiveDir, file, place)));
        await client.query("begin");
        await client.query("set local heliograph.archive = 'on'");
        for (const [index, place] of places.entries())
          if (await change(client, read[index]!, place)) changed += place.events;
        await client.query("commit");
        await failpoint("archive.changed");
        onProgress?.(changed - before, BigInt(places.at(-1)!.last));
        await rest();
      }
      await failpoint("archive.ended");
      await client.query(SET_STATE, [file.last, afterwards]);
      await tidy();
    },
    async end() {
      if (changed > vacuumed) await vacuum(client);
      return changed;
    },
  };
}

const emptyBlock: ChangeBlock = async (client, block, { events }) => {
  const { rowCount } = await client.query(EMPTY, [block.positions, block.digest()]);
  return rowCount === events || wasDone(client, block, events);
};

const fillBlock: ChangeBlock = async (client, block, { events }) => {
  const rows = block.positions.map((position) => block.at(position).row);
  const columns = [0, 1, 7, 8].map((index) => rows.map((row) => row[index]));
  const { rowCount } = await client.query(FILL, columns);
  return rowCount === events || wasDone(client, block, 0);
};

/** Blocks change whole: one that did not change now is as it was to become, or the table has other events than the file. */
async function wasDone(client: pg.Client, { positions }: Block, archived: number): Promise<false> {
  const { rows } = await client.query(COUNT, [positions]);
  if (Number(rows[0].events) === positions.length && Number(rows[0].archived) === archived)
    return false;
  throw new ArchiveRefused(
    `the events from ${positions[0]} to ${positions.at(-1)} are not those in the archive: run verify-log; they were left as they are`,
  );
}

/** Makes the room free for what comes: autovacuum waits until a fifth of the table has changed. */
async function vacuum(client: pg.Client): Promise<void> {
  await client.query("set statement_timeout = 0");
  await client.query("vacuum (truncate false) log.events");
  await client.query("reset statement_timeout");
}
