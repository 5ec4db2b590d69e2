import { randomUUID } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import { newLogger, readSettings } from "@heliograph/runtime";
import { testKafka, until } from "@heliograph/testkit";
import { expect, onTestFinished, test } from "vitest";
import { compressionOf } from "../src/compression.ts";
import { kafkaClient, openPublisher } from "../src/index.ts";
import { kafkaLibrary } from "../src/library.ts";

const { CompressionCodecs, CompressionTypes } = kafkaLibrary();
const { GZIP, None, ZSTD } = CompressionTypes;
const kafka = await testKafka();

test("a request is packed when it is large, in the way of its topic", () => {
  const request = (chars: number) => [
    { messages: [{ value: "x".repeat(chars / 2) }, { value: "x".repeat(chars / 2) }] },
  ];
  expect(compressionOf("zstd", request(32_768))).toBe(ZSTD);
  expect(compressionOf("gzip", request(32_768))).toBe(GZIP);
  expect(compressionOf("zstd", request(32_766))).toBe(None);
});

test("a batch that would fill the memory when it is unpacked is refused", async () => {
  const codec = CompressionCodecs[ZSTD]();
  const bomb = zstdCompressSync(Buffer.alloc(64 * 1_048_576));
  await expect(codec.decompress(bomb)).rejects.toMatchObject({ code: "ERR_BUFFER_TOO_LARGE" });
});

test.skipIf(kafka.skip)("what is packed comes back whole", async () => {
  const settings = readSettings({ HELIOGRAPH_KAFKA_BROKERS: kafka.brokers!.join() }).kafka!;
  const client = kafkaClient(settings, "test", newLogger("silent"));
  const topic = `packed-${randomUUID()}`;
  const admin = client.admin();
  await admin.connect();
  onTestFinished(() => admin.disconnect());
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
  const publisher = await openPublisher(client, () => 0, "zstd");
  onTestFinished(() => publisher.close());
  // One of each size: as it is, packed in place, packed by a thread.
  const values = [100, 40_000, 400_000].map((chars) => `${chars}: ${"ab 🎈 ".repeat(chars / 6)}`);
  for (const value of values) await publisher.send([{ topic, messages: [{ value }] }]);

  const consumer = client.consumer({ groupId: topic });
  await consumer.connect();
  onTestFinished(() => consumer.disconnect());
  await consumer.subscribe({ topic, fromBeginning: true });
  const seen: string[] = [];
  await consumer.run({
    eachMessage: async ({ message }) => void seen.push(String(message.value)),
  });
  await until(() => seen.length === values.length, { timeoutMs: 20_000, what: "all records" });
  expect(seen).toEqual(values);
});
