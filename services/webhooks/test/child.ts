import { directoryDouble, placedFeed, testVault } from "@heliograph/testkit";
import { openPostgresLog } from "@heliograph/log";
import { runConsumer, type ServiceContext } from "@heliograph/runtime";
import pg from "pg";
import { pino } from "pino";
import { webhooksReactor } from "../src/index.ts";

/** The reactor in a process of its own, which a test may kill. Settings come as JSON in the first argument. */
const { url, masterKey, shards } = JSON.parse(process.argv[2]!) as {
  url: string;
  masterKey: string;
  /** Only these; all undivided when left out. */
  shards?: readonly number[];
};
const connection = { connectionString: url };
const pool = new pg.Pool(connection);
const log = await openPostgresLog({ connection, namespace: "sandbox" });
await runConsumer(webhooksReactor(), {
  environment: "sandbox",
  directory: directoryDouble(),
  connection,
  log,
  feed: shards && placedFeed(log, 4, shards).feed,
  pool,
  projectionPool: pool,
  masterKey: Buffer.from(masterKey, "hex"),
  vault: await testVault(pool, Buffer.from(masterKey, "hex")),
  logger: pino({ level: "warn" }),
  settings: {
    shutdownMs: 2_000,
    retryScale: 0.001,
    webhookKeepMs: Infinity,
    webhookAllowCidrs: ["127.0.0.0/8"],
    webhookDisableAfterMs: { live: Infinity, sandbox: Infinity },
  },
} as unknown as ServiceContext);
process.stdout.write("running\n");
