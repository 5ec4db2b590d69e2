import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { startKafka, type KafkaBroker } from "./broker.ts";
import { required } from "../required.ts";
import { kafkaJars } from "./jars.ts";

/** How workers learn where to ask for the broker of the run. */
export const kafkaVariable = "HELIOGRAPH_TEST_KAFKA";

export type TestKafka =
  | { readonly brokers: readonly string[]; readonly skip?: never }
  | { readonly brokers?: never; /** Why there is none. */ readonly skip: string };

/**
 * The broker that all tests of a run share; topics and groups need names of their own. In this order: `HELIOGRAPH_TEST_KAFKA_BROKERS`, the jars with Java and Maven,
 * a container where Docker answers. Without any the answer says why, once more in print, unless `HELIOGRAPH_TEST_REQUIRE` has `kafka`.
 *
 * @throws Error when there is none and the run requires one.
 */
export async function testKafka(): Promise<TestKafka> {
  const must = required("kafka");
  const found = await find();
  if (found.skip !== undefined && must)
    throw new Error(`this run requires Kafka (HELIOGRAPH_TEST_REQUIRE): ${found.skip}`);
  return found;
}

/**
 * Whether a test may have a broker of its own (`startKafka`), which takes Java and the jars: undefined, or why not.
 *
 * @throws Error when it may not and the run requires Kafka.
 */
export async function whyNoOwnKafka(): Promise<string | undefined> {
  try {
    await kafkaJars();
    return undefined;
  } catch (error) {
    const skip = `no Kafka of its own: ${(error as Error).message.split("\n")[0]}`;
    if (required("kafka"))
      throw new Error(`this run requires Kafka (HELIOGRAPH_TEST_REQUIRE): ${skip}`, {
        cause: error,
      });
    process.stderr.write(`${skip}\n`);
    return skip;
  }
}

async function find(): Promise<TestKafka> {
  const given = process.env["HELIOGRAPH_TEST_KAFKA_BROKERS"];
  if (given) return { brokers: given.split(",") };
  const keeper = process.env[kafkaVariable];
  if (keeper === undefined) return { skip: "the run's global setup keeps no broker" };
  // Fetching the jars for the first time may take minutes.
  const answer = await fetch(keeper, { signal: AbortSignal.timeout(360_000) });
  return (await answer.json()) as TestKafka;
}

/** Keeps the broker in the run's main process: started when the first test asks for it, ended with the run. */
export async function keepKafka(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  let broker: Promise<TestKafka> | undefined;
  let stop = async (): Promise<void> => undefined;
  const server: Server = createServer((_, response) => {
    broker ??= start();
    void broker.then((found) => response.end(JSON.stringify(found)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();

  async function start(): Promise<TestKafka> {
    try {
      const own: KafkaBroker = await startKafka();
      stop = () => own.remove();
      return { brokers: own.brokers };
    } catch (jars) {
      try {
        const container = await startContainer();
        stop = container.stop;
        return { brokers: container.brokers };
      } catch (error) {
        const skip = `no Kafka: ${(jars as Error).message.split("\n")[0]}; container: ${(error as Error).message.split("\n")[0]}`;
        process.stderr.write(`${skip}\n`);
        return { skip };
      }
    }
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.close();
      server.closeAllConnections();
      await broker;
      await stop();
    },
  };
}

async function startContainer(): Promise<{ brokers: string[]; stop(): Promise<void> }> {
  const { GenericContainer, Wait } = await import("testcontainers");
  const port = 29_092;
  const container = await new GenericContainer("apache/kafka:4.1.0")
    .withExposedPorts({ container: port, host: port })
    .withEnvironment({
      KAFKA_NODE_ID: "1",
      KAFKA_PROCESS_ROLES: "broker,controller",
      KAFKA_LISTENERS: `PLAINTEXT://:${port},CONTROLLER://:29093`,
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
      KAFKA_CONTROLLER_LISTENER_NAMES: "CONTROLLER",
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
      KAFKA_CONTROLLER_QUORUM_VOTERS: "1@localhost:29093",
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: "1",
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: "1",
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: "1",
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: "0",
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: "false",
    })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(120_000)
    .start();
  return {
    brokers: [`${container.getHost()}:${port}`],
    stop: async () => void (await container.stop()),
  };
}
