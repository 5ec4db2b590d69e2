import type pg from "pg";
import { failpoint } from "@heliograph/contracts";
import { asUnavailable, clientConfig } from "./connection.ts";
import { watchFolder } from "./archive/folder.ts";
import { PatientPool } from "./patient-pool.ts";
import { makeReader } from "./reader.ts";
import { migrate } from "./schema.ts";
import { Signal } from "./signal.ts";
import { DEFAULT_FLUSH, DEFAULT_MAX_WAITING, Writer } from "./writer.ts";
import type { FlushLimits } from "./queue.ts";
import { Feed } from "../feed.ts";
import type { RingLimits } from "../ring.ts";
import { unwatched, unwatchedArchive, type AppendWatch, type ArchiveWatch } from "../watch.ts";
import { withFairReads, type DriverLog, type TurnLimits } from "../fair-reads.ts";
import { DEFAULT_READS, type ReadLimits } from "../stream-reads.ts";
import { denseSpan, type EventLog, type Upcast, type Validate } from "../types.ts";

export type PostgresLogOptions = {
  /** The database of this namespace. Direct, or through a pooler in session mode. */
  readonly connection: pg.PoolConfig;
  /** Names the connections in pg_stat_activity. */
  readonly namespace: string;
  readonly validate?: Validate;
  readonly upcast?: Upcast;
  /** Appends that may wait or be under way before LogUnavailable. Default 10,000. */
  readonly maxWaiting?: number;
  /** Default 500 events, 1 MiB. */
  readonly flush?: FlushLimits;
  /** Recent events kept for subscribers. Default 20,000 events, 64 MiB. */
  readonly ring?: RingLimits;
  /** Connections for reads, default 4. Appends use one more, and the wake-up between processes another. */
  readonly maxReaders?: number;
  /** Bounds of one read. Default 1,000 events or 8 MiB a page, 256 MiB in all. */
  readonly reads?: ReadLimits;
  /** The folder of archived events; without it none of them can be read. */
  readonly archiveDir?: string | undefined;
  /** Hears what the log survived: lost connections, failed reads. Never needed for correctness. */
  readonly onError?: (error: unknown) => void;
  readonly watch?: AppendWatch & Partial<ArchiveWatch>;
};

const DEFAULT_READERS = 4;
/** A read that takes longer is a mistake or a dead connection. */
const READ_TIMEOUT_MS = 30_000;
/** Reads that wait for a connection wait no longer for a database that answers nobody. */
const SILENCE_MS = 5_000;

/** Opens the log of one namespace and brings its schema up to date. Throws LogUnavailable when it cannot connect. */
export async function openPostgresLog(options: PostgresLogOptions): Promise<EventLog> {
  const { connection, upcast } = options;
  const onError = options.onError ?? (() => {});
  const applicationName = applicationOf(options);
  const readers = options.maxReaders ?? DEFAULT_READERS;
  const reads = options.reads ?? DEFAULT_READS;
  const pool = openReadPool(connection, applicationName, readers);
  let closing: Promise<void> | undefined;
  // A server that stops behind the log may be faster than the ends of its connections: no news then.
  pool.on("error", (error) => {
    if (closing === undefined) onError(error);
  });
  const { archived, archiveFailed } = { ...unwatchedArchive, ...options.watch };
  const reader = makeReader(pool, upcast, reads, options.archiveDir, archiveFailed);
  const signal = new Signal(connection, applicationName, () => feed.nudge());
  const source = { ...reader, listening: signal.listening };
  const feed = new Feed(source, {
    ...(options.ring === undefined ? {} : { ring: options.ring }),
    onError,
  });

  let folder: Awaited<ReturnType<typeof watchFolder>> | undefined;

  async function openAll() {
    await migrateBy(pool);
    if (options.archiveDir !== undefined)
      folder = await watchFolder(pool, options.archiveDir, {
        say: (what) => signal.say(what),
        onError,
        archived,
      });
    return Writer.open(writerOptions(options, feed, signal));
  }

  const writer = await openAll().catch(async (error: unknown) => {
    folder?.close();
    await signal.close();
    await pool.end();
    throw asUnavailable(error);
  });

  async function closeAll(): Promise<void> {
    await writer.close();
    await feed.close();
    folder?.close();
    await signal.close();
    await pool.end();
  }

  const log: DriverLog = {
    ...reader,
    append: writer.append,
    accompany: writer.accompany,
    async readAll(request) {
      const { events, position, head } = await reader.readAll(request);
      return { events, position, head };
    },
    subscribe: feed.subscribe,
    span: denseSpan,
    close: () => (closing ??= closeAll()),
  };
  return withFairReads(log, reader.readPage, reads, turnsOf(readers));
}

const applicationOf = ({ namespace }: PostgresLogOptions): string => `heliograph log ${namespace}`;

const writerOptions = (
  options: PostgresLogOptions,
  feed: Feed,
  signal: Signal,
): Parameters<typeof Writer.open>[0] => ({
  connection: options.connection,
  applicationName: applicationOf(options),
  validate: options.validate,
  upcast: options.upcast,
  maxWaiting: options.maxWaiting ?? DEFAULT_MAX_WAITING,
  flush: options.flush ?? DEFAULT_FLUSH,
  keepEvents: feed.wanted,
  committed(events, bytes) {
    if (events.length > 0) feed.offer(events, bytes);
    else feed.nudge();
    signal.announce();
  },
  failpoint,
  onError: options.onError ?? (() => {}),
  watch: options.watch ?? unwatched,
});

function openReadPool(connection: pg.PoolConfig, applicationName: string, max: number): pg.Pool {
  const config = { ...clientConfig(connection, applicationName), max };
  const pool = new PatientPool(
    { ...connection, ...config, query_timeout: READ_TIMEOUT_MS },
    { silenceMs: SILENCE_MS, longestMs: READ_TIMEOUT_MS },
  );
  // A session that ends between two statements of its user: the next of them fails.
  pool.on("connect", (client) => client.on("error", () => undefined));
  return pool;
}

async function migrateBy(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await migrate(client);
    client.release();
  } catch (error) {
    client.release(true);
    throw error;
  }
}

/** Partners together leave a connection to the consumers, and one of them another to the rest. */
const turnsOf = (readers: number): TurnLimits => ({
  perPartner: Math.max(1, Math.floor(readers / 2)),
  total: Math.max(1, readers - 1),
});
