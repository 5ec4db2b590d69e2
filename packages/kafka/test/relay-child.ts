import { openPostgresLog } from "@heliograph/log";
import { readSettings, runConsumer, type ServiceContext } from "@heliograph/runtime";
import pg from "pg";
import { pino } from "pino";
import { relayConsumer } from "../src/index.ts";

/** A relay in a process of its own, which a failpoint may kill. The database is the first argument, the brokers the second. */
const [url, brokers] = process.argv.slice(2);
const connection = { connectionString: url! };
const settings = readSettings({ HELIOGRAPH_KAFKA_BROKERS: brokers });
const pool = new pg.Pool(connection);
const log = await openPostgresLog({ connection, namespace: "sandbox" });
await runConsumer(relayConsumer(settings.kafka!), {
  environment: "sandbox",
  connection,
  log,
  pool,
  projectionPool: pool,
  logger: pino({ level: "warn" }),
  settings,
} as unknown as ServiceContext);
