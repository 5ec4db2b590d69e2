// One Kafka client measured in a process of its own: `node kafka-client-run.ts <client> <broker> <topic>` prints its figures as JSON.
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import * as platformatic from "@platformatic/kafka";
import { Kafka, logLevel, Partitioners } from "kafkajs";

export type ClientName = "kafkajs" | "kafkajs unpatched" | "@platformatic/kafka";
export type ClientFigures = {
  readonly producedPerSecond: number;
  readonly consumedPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Per cent of a core that a consumer uses that waits for records. */
  readonly idlePercent: number;
};

const records = 100_000;
const recordsPerSend = 500;
const bytesPerRecord = 200;
const paced = 1_000;
const paceMs = 4;
const idleMs = 8_000;

type Client = {
  produce(values: readonly Buffer[]): Promise<unknown>;
  /** From the beginning of the topic, as a group of its own. */
  consume(take: (value: Buffer) => void): Promise<unknown>;
  close(): Promise<unknown>;
};

async function openKafkajs(broker: string, topic: string): Promise<Client> {
  const kafka = new Kafka({
    brokers: [broker],
    logLevel: logLevel.NOTHING,
    enforceRequestTimeout: true,
  });
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  const consumer = kafka.consumer({ groupId: topic, maxWaitTimeInMs: 1_000 });
  await Promise.all([producer.connect(), consumer.connect()]);
  return {
    produce: (values) =>
      producer.send({ topic, acks: -1, messages: values.map((value) => ({ value })) }),
    async consume(take) {
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch }) => {
          for (const { value } of batch.messages) take(value!);
        },
      });
    },
    close: () => Promise.all([producer.disconnect(), consumer.disconnect()]),
  };
}

async function openPlatformatic(broker: string, topic: string): Promise<Client> {
  const base = { clientId: "bench", bootstrapBrokers: [broker] };
  const producer = new platformatic.Producer<Buffer, Buffer, Buffer, Buffer>({
    ...base,
    idempotent: true,
    acks: -1,
    maxInflights: 1,
  });
  const consumer = new platformatic.Consumer<Buffer, Buffer, Buffer, Buffer>({
    ...base,
    groupId: topic,
    maxWaitTime: 1_000,
  });
  return {
    produce: (values) => producer.send({ messages: values.map((value) => ({ topic, value })) }),
    async consume(take) {
      const stream = await consumer.consume({
        topics: [topic],
        mode: "earliest",
        autocommit: false,
      });
      stream.on("data", ({ value }) => take(value));
    },
    close: () => Promise.all([producer.close(), consumer.close(true)]),
  };
}

/** Puts the timer back as the library has it, to measure what the patch gains. */
function undoPatch(): void {
  const queue = createRequire(import.meta.url)("kafkajs/src/network/requestQueue/index.js") as {
    prototype: { scheduleCheckPendingRequests: () => void };
  };
  queue.prototype.scheduleCheckPendingRequests = function (this: {
    throttledUntil: number;
    throttleCheckTimeoutId: NodeJS.Timeout | null;
    pending: readonly unknown[];
    checkPendingRequests(): void;
  }) {
    let scheduleAt = this.throttledUntil - Date.now();
    if (this.throttleCheckTimeoutId) return;
    if (this.pending.length > 0) scheduleAt = scheduleAt > 0 ? scheduleAt : 10;
    this.throttleCheckTimeoutId = setTimeout(() => {
      this.throttleCheckTimeoutId = null;
      this.checkPendingRequests();
    }, scheduleAt);
  };
}

async function measure(client: Client): Promise<ClientFigures> {
  const batch = Array.from({ length: recordsPerSend }, () => Buffer.alloc(bytesPerRecord, "x"));
  await client.produce(batch);
  const producing = performance.now();
  for (let sent = 0; sent < records; sent += recordsPerSend) await client.produce(batch);
  const producedPerSecond = (records * 1_000) / (performance.now() - producing);

  const all = records + recordsPerSend;
  const read = Promise.withResolvers<number>();
  const delays: number[] = [];
  let count = 0;
  let first = 0;
  await client.consume((value) => {
    if (count === 0) first = performance.now();
    count++;
    if (count === all) read.resolve((records * 1_000) / (performance.now() - first));
    if (count > all) delays.push(performance.now() - value.readDoubleLE(0));
  });
  const consumedPerSecond = await read.promise;

  for (let sent = 0; sent < paced; sent++) {
    const value = Buffer.alloc(bytesPerRecord);
    value.writeDoubleLE(performance.now());
    await client.produce([value]);
    await sleep(paceMs);
  }
  while (delays.length < paced) await sleep(10);
  delays.sort((left, right) => left - right);

  const before = process.cpuUsage();
  const idling = performance.now();
  await sleep(idleMs);
  const { user, system } = process.cpuUsage(before);
  return {
    producedPerSecond,
    consumedPerSecond,
    p50Ms: delays[paced / 2]!,
    p99Ms: delays[Math.floor(paced * 0.99)]!,
    idlePercent: (user + system) / 10 / (performance.now() - idling),
  };
}

if (import.meta.main) {
  const [name, broker, topic] = process.argv.slice(2) as [ClientName, string, string];
  if (name === "kafkajs unpatched") undoPatch();
  const open = name === "@platformatic/kafka" ? openPlatformatic : openKafkajs;
  const client = await open(broker, topic);
  try {
    process.stdout.write(JSON.stringify(await measure(client)));
  } finally {
    await client.close();
  }
}
