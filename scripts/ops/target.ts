import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "@heliograph/contracts";
import { startEmbeddedPostgres } from "@heliograph/embedded-postgres";
import {
  databaseConfig,
  newLogger,
  openPool,
  prepareRuntime,
  readSettings,
  serverOf,
  type Logger,
  type Server,
  type Settings,
} from "@heliograph/runtime";
import type pg from "pg";
import { OpsError } from "./error.ts";
import { dataDirOf, isAlive, readInstance } from "../shared/instance.ts";

const startWaitMs = 5_000;

export type Target = {
  readonly server: Server;
  readonly settings: Settings;
  readonly logger: Logger;
  /** A pool on the environment's database, with the runtime's tables in place. */
  pool(environment: Environment): Promise<pg.Pool>;
  close(): Promise<void>;
};

/**
 * The installation to work on: `HELIOGRAPH_DATABASE_URL`, else the instance that runs on the data folder, else the embedded PostgreSQL of that
 * folder, started for as long as this takes. Throws OpsError when there is none of them.
 */
export async function openTarget(env: NodeJS.ProcessEnv): Promise<Target> {
  // Somebody waits at the terminal.
  const settings = { ...readSettings(env), startWaitMs };
  const logger = newLogger(env["HELIOGRAPH_LOG_LEVEL"] ? settings.logLevel : "warn");
  const { server, stop } = await findServer(settings, dataDirOf(env));
  const pools = new Map<Environment, pg.Pool>();
  return {
    server,
    settings,
    logger,
    async pool(environment) {
      const known = pools.get(environment);
      if (known !== undefined) return known;
      const config = databaseConfig(server, environment);
      const pool = openPool(config, { name: "ops", max: 2, durable: true }, logger);
      pools.set(environment, pool);
      await prepareRuntime(pool);
      return pool;
    },
    async close() {
      for (const pool of pools.values()) await pool.end();
      await stop();
    },
  };
}

async function findServer(
  settings: Settings,
  dataDir: string,
): Promise<{ readonly server: Server; stop(): Promise<void> }> {
  const given = (url: string) => ({ server: serverOf(url), stop: async () => undefined });
  if (settings.databaseUrl !== undefined) return given(settings.databaseUrl);
  const instance = readInstance(dataDir);
  if (instance !== undefined && isAlive(instance.pid)) return given(instance.databaseUrl);
  const folder = join(dataDir, "postgres");
  if (!existsSync(folder))
    throw new OpsError(
      `no instance has run on ${dataDir}; set HELIOGRAPH_DATABASE_URL or HELIOGRAPH_DATA_DIR`,
    );
  const embedded = await startEmbeddedPostgres({ dataDir: folder });
  return {
    server: { config: embedded.config, prefix: "heliograph" },
    stop: () => embedded.stop(),
  };
}
