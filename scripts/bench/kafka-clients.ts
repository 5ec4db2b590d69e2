import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { startKafka } from "@heliograph/testkit";
import { Kafka, logLevel } from "kafkajs";
import type { ClientFigures, ClientName } from "./kafka-client-run.ts";
import { limitRow, ratioRow, type Row } from "./row.ts";

const rounds = 3;
const runTimeoutMs = 180_000;
const names: readonly ClientName[] = ["kafkajs", "@platformatic/kafka", "kafkajs unpatched"];

/**
 * The Kafka client of the product beside its alternative, and beside itself without the patch of its timer: the same broker, records of 200 bytes in sends of
 * 500 to one partition, idempotent, every copy acknowledged. The clients take turns, each in a process of its own; the median of the rounds counts.
 */
export async function benchKafkaClients(): Promise<Row[]> {
  const broker = await startKafka();
  try {
    const found = new Map<ClientName, ClientFigures[]>(names.map((name) => [name, []]));
    for (let round = 0; round < rounds; round++)
      for (const [index, name] of names.entries())
        found.get(name)!.push(await run(name, broker.brokers[0]!, `bench-${round}-${index}`));
    const of = (name: ClientName, figure: keyof ClientFigures): number =>
      median(found.get(name)!.map((figures) => figures[figure]));
    const throughput = (
      title: string,
      figure: "producedPerSecond" | "consumedPerSecond",
      atLeast: number,
    ): Row =>
      ratioRow(
        `kafka-clients: ${title}`,
        "records/s",
        of("kafkajs", figure),
        { value: of("@platformatic/kafka", figure), of: "@platformatic/kafka" },
        atLeast,
      );
    const one = (value: number): number => Math.round(value * 10) / 10;
    const times = (name: ClientName): string =>
      `p50 ${one(of(name, "p50Ms"))}, p99 ${one(of(name, "p99Ms"))} ms`;
    return [
      throughput("produce", "producedPerSecond", 0.5),
      throughput("consume", "consumedPerSecond", 0.5),
      limitRow(
        "kafka-clients: produce to consume, p99",
        "ms",
        one(of("kafkajs", "p99Ms")),
        20,
        `kafkajs ${times("kafkajs")}; @platformatic/kafka ${times("@platformatic/kafka")}`,
      ),
      limitRow(
        "kafka-clients: idle consumer",
        "% of a core",
        one(of("kafkajs", "idlePercent")),
        2,
        `without the patch ${one(of("kafkajs unpatched", "idlePercent"))} %, @platformatic/kafka ${one(of("@platformatic/kafka", "idlePercent"))} %`,
      ),
    ];
  } finally {
    await broker.remove();
  }
}

async function run(name: ClientName, broker: string, topic: string): Promise<ClientFigures> {
  const admin = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 1 }] });
  await admin.disconnect();
  const script = new URL("kafka-client-run.ts", import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [script, name, broker, topic], {
    timeout: runTimeoutMs,
  });
  return JSON.parse(stdout) as ClientFigures;
}

const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)]!;
