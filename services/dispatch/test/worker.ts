import { directoryDouble, placedFeed, testVault } from "@heliograph/testkit";
// A dispatch process for crash tests: the reactors of one environment on the database of the parent, until SIGTERM.
import { validateEvent } from "@heliograph/contracts";
import { openPostgresLog } from "@heliograph/log";
import {
  newLogger,
  readSettings,
  startConsumers,
  type GatewayConfig,
  realClock,
} from "@heliograph/runtime";
import pg from "pg";
import { service } from "../src/index.ts";
import { dispatchReactor } from "../src/consumer.ts";

const settings = readSettings();
const connection = { connectionString: settings.databaseUrl! };
const gateways = JSON.parse(process.env["TEST_GATEWAYS"]!) as GatewayConfig[];
const environment = gateways[0]!.environment;
const log = await openPostgresLog({
  connection,
  namespace: environment,
  validate: validateEvent,
});
const pool = new pg.Pool({ ...connection, max: 6 });
const context = {
  environment,
  log,
  pool,
  projectionPool: pool,
  connection,
  settings,
  clock: realClock,
  directory: directoryDouble({ gateways: () => gateways }),
  masterKey: Buffer.alloc(32),
  vault: await testVault(pool),
  logger: newLogger("warn"),
};
// With TEST_SHARDS, such as "2,3", it dispatches for these shards alone.
const mine = process.env["TEST_SHARDS"]?.split(",").map(Number);
const running = await (mine === undefined
  ? startConsumers(context, service.consumers!(context))
  : startConsumers({ ...context, feed: placedFeed(log, 4, mine).feed }, [dispatchReactor()]));
process.stdout.write("running\n");
async function stop(): Promise<void> {
  await running.stop();
  await log.close();
  await pool.end();
}
process.once("SIGTERM", () => void stop());
