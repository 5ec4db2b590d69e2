import { newId, streamOf, uuid7, type Environment } from "@heliograph/contracts";
import { ensureTopics, kafkaClient, wantedTopics } from "@heliograph/kafka";
import { openMemoryLog, type EventLog } from "@heliograph/log";
import {
  newLogger,
  readSettings,
  type KafkaSettings,
  type ServiceContext,
} from "@heliograph/runtime";
import { directoryDouble, testDatabase, testVault, until } from "@heliograph/testkit";
import { Kafka as CloudEvents, type CloudEvent } from "cloudevents";
import pg from "pg";

/** A record as an outside client reads it: parsed by the CloudEvents library, and raw. */
export type Read = {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timestamp: number;
  readonly event: CloudEvent<Record<string, unknown>>;
};

export const kafkaSettings = (
  brokers: readonly string[],
  partnerTopics: readonly string[] = [],
): KafkaSettings =>
  readSettings({
    HELIOGRAPH_KAFKA_BROKERS: brokers.join(),
    HELIOGRAPH_KAFKA_SHARDS: "4",
    HELIOGRAPH_KAFKA_PARTNER_TOPICS: partnerTopics.join(),
  }).kafka!;

export type World = Awaited<ReturnType<typeof openWorld>>;

/** A log, a database, and the events that a dispatched message leaves. */
export async function openWorld(openLog?: (url: string) => Promise<EventLog>) {
  const database = await testDatabase();
  const pool = new pg.Pool({ connectionString: database.url });
  pool.on("error", () => {}); // dropping the database cuts connections that are just ending
  const log = (await openLog?.(database.url)) ?? openMemoryLog();
  const over = new Set<string>();
  const context = {
    directory: directoryDouble({ isOver: (_, partner) => over.has(partner ?? "") }),
    environment: "sandbox" satisfies Environment,
    connection: { connectionString: database.url },
    log,
    pool,
    projectionPool: pool,
    vault: await testVault(pool),
    logger: newLogger(process.env["TEST_LOG"] ?? "silent"),
    settings: { shutdownMs: 2_000 },
  } as unknown as ServiceContext;
  const append = async (stream: string, partner: string, type: string, data: object) => {
    const [outcome] = await log.append([
      { stream, expected: "any", events: [{ id: uuid7(), type, data, metadata: { partner } }] },
    ]);
    if (outcome!.kind !== "appended") throw new Error(JSON.stringify(outcome));
  };
  return {
    url: database.url,
    pool,
    log,
    context,
    /** Partners whose sandbox was reset since. */
    over,
    /** What a restore to an earlier point leaves. */
    raised: (partner: string, by: number) =>
      append(streamOf("feed", partner), partner, "SequenceRaised", {
        partner_id: partner,
        raised_by: by,
        at: new Date().toISOString(),
      }),
    /** Queued, sent and delivered, to a recipient of which the topics keep every character. */
    async message(partner: string): Promise<string> {
      const id = newId("msg");
      const message = { channel: "sms", to: "+15551234567", metadata: { note: "çäß 🙂" } };
      const stream = streamOf("message", id);
      const money = { cost: "0.012", currency: "USD" };
      const at = new Date().toISOString();
      await append(stream, partner, "MessageRequested", {
        message_id: id,
        ...message,
        content: { text: "hello" },
        category: "transactional",
        priority: 1,
        expires_at: at,
        ...money,
        price: { list: "default", version: 1, country: "US", per_segment: "0.012" },
        segments: { count: 1, encoding: "GSM-7", characters: 5 },
        created_at: at,
      });
      await append(stream, partner, "MessageSent", {
        message_id: id,
        message,
        attempt: 1,
        attempt_id: newId("atp"),
        gateway: "sim-sms",
        gateway_kind: "simulator",
        choice: { reason: "the only one" },
        provider: { name: "simulator", message_id: "p-1", status: "accepted" },
        ...money,
      });
      await append(stream, partner, "MessageDelivered", {
        message_id: id,
        message,
        gateway: "sim-sms",
        provider_message_id: "p-1",
        at,
      });
      return id;
    },
    /** An event that counts and has no topic. */
    endpointDisabled: (partner: string) => {
      const id = newId("whe");
      const data = { endpoint_id: id, url: "https://example.com", reason: "410 Gone" };
      return append(streamOf("endpoint", id), partner, "WebhookEndpointDisabled", data);
    },
    async close() {
      await log.close();
      await pool.end();
      await database.drop();
    },
  };
}

export type Reader = Awaited<ReturnType<typeof openReader>>;

/** Reads topics from their beginning and keeps what belongs to the partners. */
export async function openReader(
  settings: KafkaSettings,
  topics: readonly string[],
  partners: readonly string[],
) {
  const kafka = kafkaClient(settings, "test", newLogger("silent"));
  const admin = kafka.admin();
  await admin.connect();
  await ensureTopics(
    admin,
    wantedTopics(settings).filter(({ topic }) => topics.includes(topic)),
  );
  await admin.disconnect();
  const consumer = kafka.consumer({ groupId: newId("req"), maxWaitTimeInMs: 100 });
  const records: Read[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [...topics], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ topic, partition, message }) => {
      const headers = Object.fromEntries(
        Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]),
      );
      if (!partners.includes(headers["ce_partner"]!)) return;
      const key = String(message.key);
      const value = String(message.value);
      // The library reads more of a Kafka message than its type says.
      const received = { key, value, headers, body: value, timestamp: message.timestamp };
      const event = CloudEvents.toEvent(received) as CloudEvent<Record<string, unknown>>;
      records.push({
        topic,
        partition,
        key,
        value,
        headers,
        timestamp: Number(message.timestamp),
        event,
      });
    },
  });
  return {
    records,
    /** Waits for so many records and gives them. */
    take: (count: number) =>
      until(() => records.length >= count && records, {
        timeoutMs: 20_000,
        what: `${count} records are there`,
      }),
    /** Waits for a condition and gives the records. */
    until: (holds: () => boolean) =>
      until(() => holds() && records, { timeoutMs: 30_000, what: "the records are there" }),
    close: () => consumer.disconnect(),
  };
}
