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
 * Runs a consumer of the sandbox at a database's address, with connections, a log and keys of its own, as a process of its service has them. What was killed elsewhere goes on here: only
 * what is to be killed needs a process.
 */
export async function consumerOn(
  url: string,
  make: (kafka: KafkaSettings) => Consumer,
  brokers?: string,
): Promise<{ stop(): Promise<void> }> {
  const connection = { connectionString: url };
  const settings = readSettings({ HELIOGRAPH_KAFKA_BROKERS: brokers });
  const logger = newLogger("warn");
  const pool = openPool(connection, { name: "test", max: 8, durable: true }, logger);
  const log = await openPostgresLog({ connection, namespace: "sandbox" });
  const running = await runConsumer(make(settings.kafka!), {
    environment: "sandbox",
    connection,
    log,
    pool,
    projectionPool: pool,
    settings,
    masterKey: Buffer.alloc(32),
    vault: await testVault(pool),
    logger,
    clock: realClock,
    directory: directoryDouble(),
  });
  return {
    async stop() {
      await running.stop();
      await log.close();
      await pool.end();
    },
  };
}

/**
 * Makes this process one that runs a consumer of the sandbox until it is killed, as tests do at a failpoint: the database's address and the brokers are its arguments. Prints `running` once it
 * does.
 */
export async function runConsumerHere(make: (kafka: KafkaSettings) => Consumer): Promise<void> {
  const [url, brokers] = process.argv.slice(2);
  await consumerOn(url!, make, brokers);
  process.stdout.write("running\n");
}
