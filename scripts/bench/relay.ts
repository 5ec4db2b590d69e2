import { randomUUID } from "node:crypto";
import { newId } from "@heliograph/contracts";
import {
  encodeRecord,
  kafkaClient,
  logTopic,
  placeOf,
  recordParts,
  relayConsumer,
} from "@heliograph/kafka";
import { openPostgresLog, type EventLog } from "@heliograph/log";
import {
  newLogger,
  openPool,
  pause,
  readSettings,
  startConsumers,
  type KafkaSettings,
  type ServiceContext,
  realClock,
} from "@heliograph/runtime";
import { startKafka, directoryDouble, testVault } from "@heliograph/testkit";
import kafkajs, { type Producer } from "kafkajs";
import pg from "pg";
import { ratioRow, type Row } from "./row.ts";

const rounds = 4;
const eventsPerRound = 20_000;
const partners = Array.from({ length: 50 }, () => newId("ptn"));
const shards = 8;
/** As many as the relay is given at once. */
const perBatch = 2_000;

// 330 bytes of payload and 150 of metadata: an ordinary message.
const data = {
  to: "+41791234567",
  from: "Heliograph",
  channel: "sms",
  text: "Your parcel arrives today between 14:00 and 16:00. Track it: https://example.com/t/8f3k2 ".padEnd(
    220,
    ".",
  ),
  price: { currency: "EUR", micros: 79_000 },
};

/**
 * The relay, which reads from PostgreSQL, encodes, publishes and commits its checkpoint, against the library's own idempotent producer, which sends the very same records, made
 * beforehand, in the same requests to the same broker, packed in the one way that it brings and not packed at all; the faster of the two counts. They take turns, each with
 * its share of the log; the first round only warms up. Makes a database beside the given one.
 */
export async function benchRelay(databaseUrl: string): Promise<Row[]> {
  const admin = new pg.Client({ connectionString: databaseUrl });
  await admin.connect();
  await admin.query("create database bench_relay");
  const url = new URL(databaseUrl);
  url.pathname = "/bench_relay";
  const connection = { connectionString: url.href };
  const logger = newLogger("silent");
  const broker = await startKafka();
  const settings = readSettings({
    HELIOGRAPH_KAFKA_BROKERS: broker.brokers.join(),
    HELIOGRAPH_KAFKA_SHARDS: String(shards),
  });
  const kafka = settings.kafka!;
  const pool = openPool(connection, { name: "bench", max: 4, durable: true }, logger);
  const writer = await openPostgresLog({ connection, namespace: "bench" });
  const bare = kafkaClient(kafka, "bench", logger).producer({
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner:
      () =>
      ({ message }) =>
        placeOf(message) % shards,
  });
  await bare.connect();
  const context = {
    environment: "sandbox" as const,
    connection,
    pool,
    projectionPool: pool,
    settings,
    masterKey: Buffer.alloc(32),
    vault: await testVault(pool),
    logger,
    clock: realClock,
    directory: directoryDouble(),
  };
  try {
    const rates: Record<"relay" | Packed, number[]> = { relay: [], gzip: [], plain: [] };
    let bytes = 0;
    for (let round = 0; round < rounds; round++) {
      const after = await writer.head();
      await fill(writer);
      rates.relay.push(await relayAll(context, kafka, after));
      const requests = await requestsOf(writer, after);
      bytes = requests.flat(2).reduce((sum, { value }) => sum + String(value).length, 0);
      for (const packed of ["gzip", "plain"] as const)
        rates[packed].push(await sendAll(bare, requests, packed));
    }
    const [gzip, plain] = [middle(rates.gzip), middle(rates.plain)];
    const of = `a bare producer of the same requests, ${gzip > plain ? "gzip" : "not packed"}`;
    const baseline = { value: Math.max(gzip, plain), of };
    const size = Math.round(bytes / eventsPerRound);
    return [
      {
        ...ratioRow("relay: log to topic", "events/s", middle(rates.relay), baseline, 0.8),
        note: `${eventsPerRound} events of ${size} bytes, ${shards} partitions; bare with gzip ${Math.round(gzip)}, not packed ${Math.round(plain)}`,
      },
    ];
  } finally {
    await bare.disconnect();
    await writer.close();
    await pool.end();
    await broker.remove();
    await admin.query("drop database bench_relay with (force)");
    await admin.end();
  }
}

/** Events a second from the first checkpoint to the last: connecting is no part of it. */
async function relayAll(
  context: Omit<ServiceContext, "log">,
  kafka: KafkaSettings,
  after: bigint,
): Promise<number> {
  // A fresh log instance: what was just appended must be read, not handed over from memory.
  const log = await openPostgresLog({ connection: context.connection, namespace: "bench" });
  const head = await log.head();
  const running = await startConsumers({ ...context, log }, [relayConsumer(kafka)]);
  const status = running.statuses[0]!;
  let start: { readonly at: number; readonly position: bigint } | undefined;
  while (status.position < head) {
    await pause(1);
    if (status.position > after) start ??= { at: performance.now(), position: status.position };
    if (status.lastError !== undefined) throw new Error(status.lastError);
  }
  const rate = (Number(head - start!.position) * 1_000) / (performance.now() - start!.at);
  await running.stop();
  await log.close();
  return rate;
}

/** The median without the round that warmed up. */
const middle = (all: readonly number[]): number => {
  const sorted = all.slice(1).toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)]!;
};

async function fill(log: EventLog): Promise<void> {
  for (let done = 0; done < eventsPerRound; done += 1_000)
    await log.append(
      Array.from({ length: 1_000 }, (_, index) => ({
        stream: `message-${randomUUID()}`,
        expected: "no_stream" as const,
        events: [
          {
            id: randomUUID(),
            type: "MessageRequested",
            data,
            metadata: {
              partner: partners[index % partners.length]!,
              actor: "key_live_2",
              request_id: randomUUID(),
            },
          },
        ],
      })),
    );
}

type Packed = "gzip" | "plain";
type Requests = readonly ReturnType<typeof recordParts>[];

/** What the relay sends for the events after a position, batch by batch. */
async function requestsOf(log: EventLog, after: bigint): Promise<Requests> {
  const chain = { last: after, shards: new Map<number, bigint>() };
  const all: ReturnType<typeof recordParts>[] = [];
  for (let from = after; ;) {
    const page = await log.readAll({ after: from, limit: perBatch });
    if (page.events.length === 0) return all;
    all.push(recordParts(page.events.map((event) => encodeRecord(event, shards, chain))));
    from = page.position;
  }
}

/** Events a second from the first batch's acknowledgement to the last's. */
async function sendAll(producer: Producer, requests: Requests, packed: Packed): Promise<number> {
  let start = 0;
  let count = 0;
  for (const [index, parts] of requests.entries()) {
    for (const part of parts) {
      await producer.send({
        topic: logTopic("sandbox"),
        messages: [...part],
        acks: -1,
        compression:
          packed === "gzip" ? kafkajs.CompressionTypes.GZIP : kafkajs.CompressionTypes.None,
      });
      if (index > 0) count += part.length;
    }
    if (index === 0) start = performance.now();
  }
  return (count * 1_000) / (performance.now() - start);
}
