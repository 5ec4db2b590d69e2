import { existsSync } from "node:fs";
import { Kafka, logLevel } from "kafkajs";
import { expect, test } from "vitest";
import { startKafka, testKafka, until } from "../src/index.ts";

const shared = await testKafka();

/** What a new consumer reads from the start of a topic. */
async function produceAndConsume(brokers: readonly string[], topic: string): Promise<string[]> {
  const client = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const [admin, producer, consumer] = [
    client.admin(),
    client.producer(),
    client.consumer({ groupId: topic }),
  ];
  const seen: string[] = [];
  await Promise.all([admin.connect(), producer.connect(), consumer.connect()]);
  try {
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
    await producer.send({ topic, messages: [{ value: "one" }, { value: "two" }] });
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => void seen.push(String(message.value)),
    });
    await until(() => seen.length >= 2, { timeoutMs: 20_000, what: "both records are read" });
  } finally {
    await Promise.all([admin.disconnect(), producer.disconnect(), consumer.disconnect()]);
  }
  return seen;
}

test.skipIf(shared.skip)("the tests of a run share a broker", async () => {
  expect(await produceAndConsume(shared.brokers!, `testkit-${Date.now()}`)).toEqual(["one", "two"]);
  expect(await testKafka()).toEqual(shared);
});

test.skipIf(shared.skip)(
  "a broker of one's own is killed, starts again with what it had, and goes away",
  async () => {
    const broker = await startKafka();
    try {
      expect(await produceAndConsume(broker.brokers, "kept")).toEqual(["one", "two"]);
      const first = broker.pid;
      await broker.kill();
      expect(existsSync(`/proc/${first}`)).toBe(false);
      await broker.start();
      expect(broker.pid).not.toBe(first);
      const client = new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING });
      const admin = client.admin();
      await admin.connect();
      // A broker that has just come back is not yet the leader of everything.
      const offsets = await until(() => admin.fetchTopicOffsets("kept"), { timeoutMs: 20_000 });
      expect(offsets).toMatchObject([{ high: "2" }]);
      await admin.disconnect();
    } finally {
      await broker.remove();
    }
    expect(existsSync(`/proc/${broker.pid}`)).toBe(false);
  },
  180_000,
);
