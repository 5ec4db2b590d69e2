import { closeSync, existsSync, realpathSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type pg from "pg";
import { findBinaries, findPackage } from "./binaries.ts";
import { ensureCluster, superuser } from "./cluster.ts";
import { EmbeddedPostgresError } from "./error.ts";
import {
  type Home,
  openHome,
  passwordOf,
  rememberPort,
  rememberedPort,
  systemFolder,
} from "./home.ts";
import { tryLock } from "./kernel-lock.ts";
import { freePort, launch, runsWith } from "./launch.ts";
import { lockFolder } from "./owner-lock.ts";
import {
  type Postmaster,
  clearStalePidFile,
  runningPostmaster,
  stopPostmaster,
} from "./postmaster.ts";
import { isAlive } from "./processes.ts";
import { answers } from "./readiness.ts";
import { type Settings, settingsFor } from "./settings.ts";

export { backUpEmbeddedPostgres } from "./backup.ts";
export { EmbeddedPostgresError } from "./error.ts";

export type EmbeddedPostgresOptions = {
  /** Holds password, port, log and (unless closed to the server's account) the cluster; made when missing. */
  readonly dataDir: string;
  /** Fixed port of 127.0.0.1. Without it: the port of the last start when it is free, else any free one. */
  readonly port?: number;
  /** PostgreSQL settings that win over the tuned ones. */
  readonly settings?: Settings;
  /** False only for tests: a power cut then destroys the data. Default true. */
  readonly fsync?: boolean;
};

export type EmbeddedPostgres = {
  /** For people and tools: TCP on 127.0.0.1, with user, password and the administration database. */
  readonly url: string;
  /** For our own pools: the unix socket, which spares 10 to 20 % per round trip. Set `database` as needed. */
  readonly config: Readonly<pg.PoolConfig>;
  readonly adminDatabase: "postgres";
  readonly pid: number;
  /** True when the server of an earlier, killed owner was found running and taken over. */
  readonly adopted: boolean;
  /** Resolves when the server has ended, by stop() or by itself; never rejects. Does not keep the process running. */
  readonly exited: Promise<void>;
  /** Stops the server (fast, after 30 s immediately) and gives the folder free. Safe to call twice. */
  stop(): Promise<void>;
};

const adminDatabase = "postgres";
/** Recovery after a crash replays up to max_wal_size (2 GB); a minute covers that on one slow disk. */
const startTimeoutMs = 60_000;
const fastStopTimeoutMs = 30_000;
const maxStartAttempts = 3;
/** What a killed server or initdb left is gone within seconds, on a busy machine in 20; a query that does not notice is not waited for. */
const leftoversTimeoutMs = 30_000;
const lookAgainMs = 50;
/** The last processes of a killed server may still be writing, so a folder that is not empty after all is tried again. */
const removal = { recursive: true, force: true, maxRetries: 10, retryDelay: 50 };

/**
 * Starts the PostgreSQL server of a data folder, or adopts the one that a killed owner left running there.
 * The server outlives this process unless `stop` is called; the next start then adopts it.
 *
 * @throws EmbeddedPostgresError with one line: no server for this platform, folder in use, flock(1) or binaries missing, or no
 * start within 60 s (with log tail).
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  // First: where there is no server, nothing is to be locked, and flock(1) may be missing too.
  const packageFolder = findPackage();
  const home = openHome(options.dataDir);
  const lock = lockFolder(home.dataFolder);
  try {
    const fsync = options.fsync ?? true;
    const binaries = findBinaries(packageFolder, home.account, systemFolder);
    const settings = settingsFor(options.settings, { fsync, moduleFolder: binaries.moduleFolder });
    const password = passwordOf(home);
    const credentials = { user: superuser, password, database: adminDatabase };

    const found = await adoptOrLock(home, settings, credentials, options.port);
    const postmaster =
      "lock" in found ? await start(found.lock).finally(() => closeSync(found.lock)) : found;
    rememberPort(home, postmaster.port);
    const adopted = !("lock" in found);
    return owned(postmaster, { ...credentials, adopted, release: lock.release });

    async function start(serverLock: number): Promise<Postmaster> {
      clearStalePidFile(home.clusterFolder);
      await ensureCluster(home, binaries, password, { fsync, lock: serverLock });
      for (let attempt = 1; ; attempt++) {
        const port = options.port ?? (await freePort(rememberedPort(home)));
        try {
          return await launch(home, binaries, {
            port,
            settings,
            config: credentials,
            timeoutMs: startTimeoutMs,
            lock: serverLock,
          });
        } catch (error) {
          // Somebody may take the port between our look and the server's; not retried when it was asked for.
          const portTaken = /could not (bind|create any TCP)/.test((error as Error).message);
          const again = portTaken && options.port === undefined;
          if (!again || attempt === maxStartAttempts) throw error;
        }
      }
    }
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * Stops whatever server serves the data folder and deletes the folder with its cluster, wherever that lives.
 * Does nothing when the folder does not exist.
 *
 * @throws EmbeddedPostgresError when a live owner holds the folder.
 */
export async function destroyEmbeddedPostgres(dataDir: string): Promise<void> {
  if (!existsSync(dataDir)) return;
  const lock = lockFolder(realpathSync(dataDir));
  try {
    const { dataFolder, clusterFolder } = openHome(dataDir);
    const running = runningPostmaster(clusterFolder);
    if (running) await stopPostmaster(running, fastStopTimeoutMs);
    if (clusterFolder.startsWith(`${systemFolder}/`)) {
      rmSync(dirname(clusterFolder), { ...removal });
    }
    rmSync(dataFolder, { ...removal });
  } finally {
    lock.release();
  }
}

/**
 * Takes over a running server when it answers and has the settings asked for, stops any other one, and gives the
 * server's lock once no process of one is left. Looks again until the deadline, since a killed server takes a moment to
 * end, and one whose owner was killed between its spawn and the first line of postmaster.pid appears only later.
 */
async function adoptOrLock(
  { dataFolder, clusterFolder }: Home,
  settings: Settings,
  credentials: pg.ClientConfig,
  port: number | undefined,
): Promise<Postmaster | { lock: number }> {
  const deadline = performance.now() + leftoversTimeoutMs;
  for (;;) {
    const running = runningPostmaster(clusterFolder);
    if (running) {
      const suits = runsWith(clusterFolder, settings) && (port ?? running.port) === running.port;
      if (suits && (await answers(running, clusterFolder, credentials, startTimeoutMs)))
        return running;
      await stopPostmaster(running, fastStopTimeoutMs);
    }
    const lock = tryLock(join(dataFolder, "server.lock"));
    if (lock !== undefined) return { lock };
    if (performance.now() > deadline)
      throw new EmbeddedPostgresError(
        `a PostgreSQL that cannot be seen from here, of another container say, still holds ${clusterFolder}; end it first`,
      );
    await pause(lookAgainMs);
  }
}

function owned(
  postmaster: Postmaster,
  {
    user,
    password,
    adopted,
    release,
  }: { user: string; password: string; adopted: boolean; release: () => void },
): EmbeddedPostgres {
  let stopping: Promise<void> | undefined;
  return {
    url: `postgresql://${user}:${password}@127.0.0.1:${postmaster.port}/${adminDatabase}`,
    config: {
      host: postmaster.socketFolder,
      port: postmaster.port,
      user,
      password,
      database: adminDatabase,
    },
    adminDatabase,
    pid: postmaster.pid,
    adopted,
    exited: whenEnded(postmaster),
    stop: () => (stopping ??= stopPostmaster(postmaster, fastStopTimeoutMs).finally(release)),
  };
}

/** An adopted server is no child of ours, so its end is seen by looking: every 500 ms costs nothing measurable. */
function whenEnded(postmaster: Postmaster): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (isAlive(postmaster)) return;
      clearInterval(timer);
      resolve();
    }, 500);
    timer.unref();
  });
}
