import { openPostgresLog } from "@heliograph/log";
import { startConsumers } from "./consumers.ts";
import { openPool } from "./databases.ts";
import { pause } from "./faults.ts";
import { newLogger } from "./logger.ts";
import { readSettings, type KafkaSettings } from "./settings.ts";
import type { Consumer, ServiceContext } from "./types.ts";

/** Runs one consumer (tests, tools): `caughtUp` waits until its checkpoint has reached a position, 10 s at most. */
export async function runConsumer(
  consumer: Consumer,
  context: ServiceContext,
): Promise<{
  stop(): Promise<void>;
  caughtUp(position: bigint): Promise<void>;
  readonly lastError: string | undefined;
}> {
  const running = await startConsumers(context, [consumer]);
  const status = running.statuses[0]!;
  return {
    stop: () => running.stop(),
    get lastError() {
      return status.lastError;
    },
    async caughtUp(position) {
      const deadline = performance.now() + 10_000;
      while (status.position < position) {
        if (performance.now() > deadline)
          throw new Error(
            `${consumer.name} is at ${status.position}, not at ${position}: ${status.lastError ?? "no error"}`,
          );
        await pause(5);
      }
    },
  };
}

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
    logger,
    directory: { gateways: () => [], partner: () => undefined, onChange: () => () => true },
  });
  process.stdout.write("running\n");
}
