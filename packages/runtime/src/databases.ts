import { type Environment, validateEvent } from "@heliograph/contracts";
import {
  InvalidConnectionString,
  openEventStoreLog,
  openPostgresLog,
  PatientPool,
  type EventLog,
} from "@heliograph/log";
import pg from "pg";
import type { Logger } from "pino";
import { createDatabase, serverVersion } from "./tables/databases.ts";
import { watchLog } from "./log-metrics.ts";
import { SettingsError, type Settings } from "./settings.ts";

export type Namespace = Environment | "platform";

/** Where the databases are: a server, and the name that begins each database's name (`<prefix>_live`, …). */
export type Server = { readonly config: pg.ClientConfig; readonly prefix: string };

/** `postgres://user:password@host:port/name`: the name is the prefix of the databases, `heliograph` when it is missing or `postgres`. */
export function serverOf(url: string): Server {
  const parsed = new URL(url);
  const name = decodeURIComponent(parsed.pathname.slice(1));
  parsed.pathname = "/postgres";
  return {
    config: { connectionString: parsed.toString() },
    prefix: name === "" || name === "postgres" ? "heliograph" : name,
  };
}

export function databaseConfig(server: Server, namespace: Namespace): pg.ClientConfig {
  const database = `${server.prefix}_${namespace}`;
  if (server.config.connectionString === undefined) return { ...server.config, database };
  const url = new URL(server.config.connectionString);
  url.pathname = `/${encodeURIComponent(database)}`;
  return { ...server.config, connectionString: url.toString() };
}

/** What is older is not tested and lacks what our statements and settings count on. */
const oldestMajor = 17;

/** Throws SettingsError for a server that is too old; takes its version as PostgreSQL numbers it, 170004 for 17.4. */
export function requireVersion(version: number): void {
  if (version >= oldestMajor * 10_000) return;
  throw new SettingsError(
    `HELIOGRAPH_DATABASE_URL: this is PostgreSQL ${Math.floor(version / 10_000)}.${version % 10_000}; ${oldestMajor} or later is needed`,
  );
}

/** Creates the databases that are missing; several processes may do so at once. */
export async function createDatabases(server: Server): Promise<void> {
  const client = new pg.Client({
    ...server.config,
    database: server.config.database ?? "postgres",
    connectionTimeoutMillis: connectMs,
  });
  // A connection that is lost between two statements is an event; the next statement says so where it can be answered.
  client.on("error", () => undefined);
  await client.connect();
  try {
    requireVersion(await serverVersion(client));
    for (const namespace of ["live", "sandbox", "platform"]) {
      const name = `${server.prefix}_${namespace}`;
      await createDatabase(client, name);
    }
  } finally {
    await client.end();
  }
}

/** Statements of consumers and queries are short; one that is not must not hold a pool's connection for ever. */
const statementTimeoutMs = 60_000;
/** PostgreSQL says so itself when it ends a statement; a connection on which not even that comes is given up. */
const silenceMs = 5_000;
const connectMs = 10_000;
/** So long a statement waits for its turn while others have theirs. */
const longestTurnMs = 30_000;

export function openPool(
  config: pg.ClientConfig,
  options: {
    readonly name: string;
    readonly max: number;
    readonly durable: boolean;
    /** For statements whose callers go on without an answer: how long they wait for it, and for a connection. */
    readonly patienceMs?: number;
  },
  logger: Logger,
): pg.Pool {
  const { patienceMs } = options;
  const given: pg.PoolConfig = {
    ...config,
    max: options.max,
    application_name: `heliograph ${options.name}`,
    connectionTimeoutMillis: patienceMs ?? connectMs,
    idleTimeoutMillis: 60_000,
    statement_timeout: patienceMs ?? statementTimeoutMs,
    query_timeout: patienceMs ?? statementTimeoutMs + silenceMs,
    ...(options.durable ? {} : { options: "-c synchronous_commit=off" }),
  };
  const pool =
    patienceMs === undefined
      ? new PatientPool(given, { silenceMs: connectMs, longestMs: longestTurnMs })
      : new pg.Pool(given);
  pool.on("error", (error) =>
    logger.debug({ error: error.message }, "an idle database connection ended"),
  );
  // One that ends between two statements of its user is an event, which nobody else hears: the user's next statement fails.
  pool.on("connect", (client) => client.on("error", () => undefined));
  return pool;
}

/** Opens the log of a namespace in the engine that the settings name. Throws LogUnavailable when it does not answer. */
export async function openLog(
  settings: Pick<Settings, "log" | "eventstoreUrl" | "archiveDir">,
  server: Server,
  namespace: Namespace,
  logger: Logger,
): Promise<EventLog> {
  const common = {
    namespace,
    validate: validateEvent,
    watch: watchLog(namespace),
    onError: (error: unknown) =>
      logger.warn(
        { namespace, error: error instanceof Error ? error.message : String(error) },
        "event log",
      ),
  };
  if (settings.log === "eventstoredb")
    try {
      return await openEventStoreLog({ ...common, connectionString: settings.eventstoreUrl! });
    } catch (error) {
      if (!(error instanceof InvalidConnectionString)) throw error;
      throw new SettingsError(`HELIOGRAPH_EVENTSTORE_URL: ${error.message}`);
    }
  const { archiveDir } = settings;
  return openPostgresLog({ ...common, connection: databaseConfig(server, namespace), archiveDir });
}
