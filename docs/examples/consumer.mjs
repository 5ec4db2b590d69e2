// Reads lifecycle events from Heliograph's topics and prints each once. Run it with Node 20 or later and `npm install kafkajs`:
//   BROKERS=localhost:9092 TOPICS=heliograph.live.message node consumer.mjs
import { Kafka, logLevel } from "kafkajs";

const { BROKERS = "localhost:9092", GROUP = "example" } = process.env;
const { TOPICS = "heliograph.live.message", KAFKA_USERNAME, KAFKA_PASSWORD } = process.env;

const kafka = new Kafka({
  clientId: "example",
  brokers: BROKERS.split(","),
  logLevel: logLevel.ERROR,
  ...(KAFKA_USERNAME && {
    ssl: true,
    sasl: { mechanism: "scram-sha-512", username: KAFKA_USERNAME, password: KAFKA_PASSWORD },
  }),
});
const consumer = kafka.consumer({ groupId: GROUP });

// Delivery is at least once: the same event may come again, under the same ce_id. What must survive a restart belongs into the
// transaction that stores the event's effect, as a unique key; memory is enough where an effect may be repeated then.
const mostRemembered = 100_000;
const seen = new Set();
function isNew(id) {
  if (seen.has(id)) return false;
  seen.add(id);
  if (seen.size > mostRemembered) seen.delete(seen.values().next().value);
  return true;
}

/** What you do with an event. An error thrown here leaves its offset where it was: it comes again. */
async function handle(event) {
  const { type, subject, sequence, data } = event;
  console.log(`${type} ${subject} ${sequence} ${JSON.stringify(data)}`);
}

const topics = TOPICS.split(",");
const admin = kafka.admin();
await admin.connect();
const existing = await admin.listTopics();
await admin.disconnect();
const missing = topics.filter((topic) => !existing.includes(topic));
if (missing.length > 0) {
  console.error(`There is no topic ${missing.join(", ")}, or this user may not see it.`);
  process.exit(1);
}

await consumer.connect();
await consumer.subscribe({ topics, fromBeginning: true });
await consumer.run({
  // Offsets are committed for what was handled, never for what was merely fetched.
  eachBatchAutoResolve: false,
  async eachBatch({
    batch,
    resolveOffset,
    commitOffsetsIfNecessary,
    heartbeat,
    isRunning,
    isStale,
  }) {
    for (const { offset, headers, value } of batch.messages) {
      if (!isRunning() || isStale()) break;
      const attribute = (name) => headers[`ce_${name}`].toString();
      const event = {
        id: attribute("id"),
        type: attribute("type"),
        subject: attribute("subject"),
        time: attribute("time"),
        partner: attribute("partner"),
        sequence: Number(attribute("sequence")),
        data: JSON.parse(value.toString()),
      };
      if (isNew(event.id)) await handle(event);
      resolveOffset(offset);
      await heartbeat();
    }
    await commitOffsetsIfNecessary();
  },
});

// Leaving the group hands its partitions to the others at once, with the last offsets committed.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void consumer.disconnect());
