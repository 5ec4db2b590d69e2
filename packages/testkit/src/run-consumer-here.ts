import { openPostgresLog } from "@heliograph/log";
import {
  newLogger,
  openPool,
  readSettings,
  runConsumer,
  type Consumer,
  type KafkaSettings,
  realClock,
} from "@heliograph/runtime";
import { directoryDouble } from "./directory-double.ts";
import { testVault } from "./test-vault.ts";

/**
 * Makes this process one that runs a consumer of the sandbox until it is killed, as tests do at a failpoint: the database's address and the brokers are its arguments. Prints `running` once it
 * does.
 */
export async function runConsumerHere(make: (kafka: KafkaSettings) => Consumer): Promise<void> {
  const [url, brokers] = process.argv.slice(2);
  const connection = { connectionString: url! };
  const settings = readSettings({ HELIOGRAPH_KAFKA_BROKERS: brokers });
  const logger = newLogger("warn");
  const pool = openPool(connection, { name: "test", max: 8, durable: true }, logger);
  await runConsumer(make(settings.kafka!), {
    environment: "sandbox",
    connection,
    log: await openPostgresLog({ connection, namespace: "sandbox" }),
    pool,
    projectionPool: pool,
    settings,
    masterKey: Buffer.alloc(32),
    vault: await testVault(pool),
    logger,
    clock: realClock,
    directory: directoryDouble(),
  });
  process.stdout.write("running\n");
}
