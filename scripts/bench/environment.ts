import { validateEvent } from "@heliograph/contracts";
import { openPostgresLog } from "@heliograph/log";
import {
  newLogger,
  openPool,
  readSettings,
  type ServiceContext,
  realClock,
} from "@heliograph/runtime";
import { directoryDouble, testVault } from "@heliograph/testkit";
import pg from "pg";

/** What a process gives its consumers, on a database of its own that `close` removes. */
export async function openBenchEnvironment(
  databaseUrl: string,
  name: string,
): Promise<{ readonly context: ServiceContext; close(): Promise<void> }> {
  const admin = new pg.Client({ connectionString: databaseUrl });
  await admin.connect();
  await admin.query(`create database ${name}`);
  const connection = {
    connectionString: Object.assign(new URL(databaseUrl), { pathname: `/${name}` }).href,
  };
  const logger = newLogger("silent");
  const log = await openPostgresLog({ connection, namespace: "bench", validate: validateEvent });
  const pool = openPool(connection, { name: "bench", max: 4, durable: true }, logger);
  const projections = { name: "bench projections", max: 4, durable: false };
  const projectionPool = openPool(connection, projections, logger);
  return {
    context: {
      environment: "sandbox",
      log,
      connection,
      pool,
      projectionPool,
      settings: readSettings({}),
      masterKey: Buffer.alloc(32),
      vault: await testVault(pool),
      logger,
      clock: realClock,
      directory: directoryDouble(),
    },
    async close() {
      await log.close();
      await Promise.all([pool.end(), projectionPool.end()]);
      await admin.query(`drop database ${name} with (force)`);
      await admin.end();
    },
  };
}
