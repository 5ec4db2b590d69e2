import { chmodSync, mkdtempSync, readdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { destroyEmbeddedPostgres, startEmbeddedPostgres } from "@heliograph/embedded-postgres";
import type pg from "pg";
import { easeLogin } from "./ease-login.ts";
import { memoryFolder } from "./memory-folder.ts";

/** A PostgreSQL server for one test run. */
export type Server = {
  readonly config: pg.PoolConfig;
  /** Its own folder, which goes with it; undefined where the server is somebody else's. */
  readonly folder?: string;
  stop(): Promise<void>;
};

/** How workers learn of the server that the run's global setup started: the pool config as JSON. */
export const serverVariable = "HELIOGRAPH_TEST_SERVER";

const folderPrefix = "heliograph-test-";

/** Nothing of a test run is worth a disk flush, a full page image or WAL beyond what a restart needs. */
const testSettings = {
  max_connections: "300",
  shared_buffers: "128MB",
  max_wal_size: "1GB",
  wal_level: "minimal",
  max_wal_senders: "0",
  // It is in memory already.
  wal_compression: "off",
  // A look at each of dozens of databases that are about to go.
  autovacuum_naptime: "300s",
};

/**
 * Starts or finds the server: `HELIOGRAPH_TEST_DATABASE_URL` (a superuser or a role with createdb), else the embedded
 * one, else a container when Docker answers.
 *
 * @throws Error with the reason of each way when none works.
 */
export async function startServer(): Promise<Server> {
  const url = process.env.HELIOGRAPH_TEST_DATABASE_URL;
  if (url) return { config: configOf(url), stop: async () => {} };
  await sweep();
  const dataDir = mkdtempSync(join(memoryFolder(), folderPrefix));
  // Root's server runs as another user, who has to pass through.
  chmodSync(dataDir, 0o711);
  try {
    const server = await startEmbeddedPostgres({ dataDir, fsync: false, settings: testSettings });
    await easeLogin(server.config);
    return {
      config: { ...server.config },
      folder: dataDir,
      stop: async () => {
        await server.stop();
        await destroyEmbeddedPostgres(dataDir);
      },
    };
  } catch (embedded) {
    await destroyEmbeddedPostgres(dataDir).catch(() => {});
    try {
      return await startContainer();
    } catch (container) {
      throw new Error(
        `no PostgreSQL for tests. Embedded: ${(embedded as Error).message}. Container: ${(container as Error).message}.` +
          " Set HELIOGRAPH_TEST_DATABASE_URL to a server where databases may be created.",
        { cause: embedded },
      );
    }
  }
}

/** A run makes the file of its lock a moment before it holds the lock: whoever sweeps then would take it for a dead one's. */
const youngMs = 60_000;

/**
 * Removes what killed test runs left: their servers would otherwise run for ever. A live owner refuses, rightly; a
 * folder without a lock, or with a young one, was made a moment ago by a run that has not locked it yet.
 */
async function sweep(): Promise<void> {
  const folders = [...new Set([tmpdir(), memoryFolder()])].flatMap((parent) =>
    readdirSync(parent)
      .filter((entry) => entry.startsWith(folderPrefix))
      .map((name) => join(parent, name)),
  );
  for (const folder of folders) {
    const lock = statSync(join(folder, "owner.lock"), { throwIfNoEntry: false });
    if (lock !== undefined && Date.now() - lock.mtimeMs > youngMs) {
      await destroyEmbeddedPostgres(folder).catch(() => {});
    }
  }
}

async function startContainer(): Promise<Server> {
  const { GenericContainer, Wait } = await import("testcontainers");
  const container = await new GenericContainer("postgres:18-alpine")
    .withEnvironment({ POSTGRES_USER: "heliograph", POSTGRES_PASSWORD: "heliograph" })
    .withExposedPorts(5432)
    .withCommand(["postgres", "-c", "fsync=off", "-c", "max_connections=300"])
    // The image starts the server twice; only the second start is reachable.
    .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/, 2))
    .withStartupTimeout(120_000)
    .start();
  return {
    config: {
      host: container.getHost(),
      port: container.getMappedPort(5432),
      user: "heliograph",
      password: "heliograph",
      database: "postgres",
    },
    stop: async () => void (await container.stop()),
  };
}

function configOf(url: string): pg.PoolConfig {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url);
  return {
    host: searchParams.get("host") ?? decodeURIComponent(hostname),
    port: Number(searchParams.get("port") ?? (port || 5432)),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)) || "postgres",
    ...(searchParams.get("sslmode") ? { ssl: searchParams.get("sslmode") !== "disable" } : {}),
  };
}
