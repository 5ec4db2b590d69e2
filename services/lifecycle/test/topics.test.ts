import { readFileSync } from "node:fs";
import { newId } from "@heliograph/contracts";
import { lifecycleData, type LifecycleType } from "@heliograph/domain";
import { wantedTopics } from "@heliograph/kafka";
import { readLifecycle } from "../src/tables/lifecycle.ts";
import { runConsumer } from "@heliograph/runtime";
import { testKafka } from "@heliograph/testkit";
import { Partitioners } from "kafkajs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { lifecycleProjector } from "../src/index.ts";
import { partitionNumber } from "../src/topics/partition.ts";
import { topicsReactor } from "../src/topics/reactor.ts";
import { kafkaSettings, openReader, openWorld, type Reader, type World } from "./topics-harness.ts";

const kafka = await testKafka();
const topic = "heliograph.sandbox.message";
let world: World;
let reader: Reader | undefined;
beforeAll(async () => {
  world = await openWorld();
});
afterEach(async () => {
  await reader?.close();
  reader = undefined;
});
afterAll(() => world.close());

const feedOf = async (partner: string) => {
  const { rows } = await readLifecycle(world.pool, { partner, after: 0, limit: 1_000 });
  return rows.map(({ body }) => JSON.parse(body));
};

test.skipIf(kafka.skip)(
  "the topic has each event of the feed once, under its number, as a CloudEvent",
  async () => {
    const settings = kafkaSettings(kafka.brokers!);
    const [one, other] = [newId("ptn"), newId("ptn")];
    await world.message(one);
    await world.endpointDisabled(one);
    await world.message(other);
    await world.raised(one, 1_000);
    await world.message(one);
    const feed = await runConsumer(lifecycleProjector("sandbox"), world.context);
    let topics = await runConsumer(topicsReactor(settings), world.context);
    await topics.caughtUp(await world.log.head());
    await topics.stop();
    await world.message(one);
    topics = await runConsumer(topicsReactor(settings), world.context);
    await Promise.all(
      [feed, topics].map(async (consumer) => consumer.caughtUp(await world.log.head())),
    );
    await Promise.all([feed.stop(), topics.stop()]);

    reader = await openReader(settings, [topic], [one, other]);
    const records = await reader.take(12);
    for (const partner of [one, other]) {
      const own = records
        .filter(({ event }) => event["partner"] === partner)
        .toSorted((a, b) => Number(a.event["sequence"]) - Number(b.event["sequence"]));
      const expected = (await feedOf(partner)).filter(({ type }) => type.startsWith("message."));
      expect(
        own.map(({ event }) => ({
          id: event.id,
          type: event.type,
          timestamp: event.time,
          environment: event.source.replace("/heliograph/", ""),
          sequence: Number(event["sequence"]),
          data: event.data,
        })),
      ).toEqual(expected);
    }
    for (const { event, key, value, headers, timestamp } of records) {
      expect(lifecycleData[event.type as LifecycleType].strict().parse(JSON.parse(value))).toEqual(
        event.data,
      );
      expect(event.validate()).toBe(true);
      expect(event.specversion).toBe("1.0");
      expect(event.datacontenttype).toBe("application/json");
      expect(key).toBe(event.data!["message_id"]);
      expect(event.subject).toBe(key);
      expect(timestamp).toBe(Date.parse(event.time!));
      expect(headers["content-type"]).toBe("application/json");
    }
    // webhook_endpoint.disabled is number 4 and is in no topic; then comes what a restore raises.
    expect((await feedOf(one)).map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 10 }, (_, index) => index + (index < 4 ? 1 : 1_001)),
    );
    expect(records.some(({ event }) => event.type.startsWith("webhook_endpoint"))).toBe(false);
  },
);

test.skipIf(kafka.skip)(
  "the events of a message are in one partition, in order, where the Java client would put them",
  async () => {
    const settings = kafkaSettings(kafka.brokers!);
    const partner = newId("ptn");
    const ids: string[] = [];
    for (let index = 0; index < 20; index++) ids.push(await world.message(partner));
    const topics = await runConsumer(topicsReactor(settings), world.context);
    await topics.caughtUp(await world.log.head());
    await topics.stop();
    reader = await openReader(settings, [topic], [partner]);
    const records = await reader.take(60);
    const partitions = new Set(records.map(({ partition }) => partition));
    for (const id of ids) {
      const own = records.filter(({ key }) => key === id);
      expect(own.map(({ event }) => event.type)).toEqual([
        "message.queued",
        "message.sent",
        "message.delivered",
      ]);
      expect(new Set(own.map(({ partition }) => partition)).size).toBe(1);
    }
    expect(partitions.size).toBeGreaterThan(1);
  },
);

test.skipIf(kafka.skip)("of a sandbox that was reset since nothing is published", async () => {
  const settings = kafkaSettings(kafka.brokers!);
  const partner = newId("ptn");
  world.over.add(partner);
  await world.message(partner);
  const topics = await runConsumer(topicsReactor(settings), world.context);
  await topics.caughtUp(await world.log.head());
  world.over.delete(partner);
  const after = await world.message(partner);
  await topics.caughtUp(await world.log.head());
  await topics.stop();
  reader = await openReader(settings, [topic], [partner]);
  const records = await reader.take(3);
  expect(records.map(({ key, event }) => [key, Number(event["sequence"])])).toEqual([
    [after, 1],
    [after, 2],
    [after, 3],
  ]);
});

test("the topics are those of the AsyncAPI document", () => {
  const { channels } = JSON.parse(
    readFileSync(new URL("../../../schemas/asyncapi.json", import.meta.url), "utf8"),
  ) as { channels: Record<string, { address: string }> };
  const partner = newId("ptn");
  const documented = Object.values(channels).map(({ address }) =>
    address.replace("{environment}", "live").replace("{partner}", partner),
  );
  const created = wantedTopics(kafkaSettings(["127.0.0.1:1"], [partner]), ["live"])
    .map((spec) => spec.topic)
    .filter((name) => name !== "heliograph.live.log");
  expect(documented.toSorted()).toEqual(created.toSorted());
});

test("keys are placed as by Kafka's own clients", () => {
  const partitionMetadata = Array.from({ length: 12 }, (_, partitionId) => ({
    partitionId,
    leader: 1,
    partitionErrorCode: 0,
    replicas: [1],
    isr: [1],
    offlineReplicas: [],
  }));
  const theirs = Partitioners.DefaultPartitioner();
  for (const key of [
    "",
    "a",
    "ab",
    "abc",
    "abcd",
    "çäß🙂",
    ...Array.from({ length: 200 }, () => newId("msg")),
  ])
    expect(partitionNumber(key) % 12).toBe(
      theirs({ topic, partitionMetadata, message: { key, value: "" } }),
    );
});

test.skipIf(kafka.skip)(
  "a partner with topics of its own finds its events there, and nobody else's",
  async () => {
    const [own, other] = [newId("ptn"), newId("ptn")];
    const settings = kafkaSettings(kafka.brokers!, [own]);
    await world.message(other);
    await world.message(own);
    const topics = await runConsumer(topicsReactor(settings), world.context);
    await topics.caughtUp(await world.log.head());
    await topics.stop();
    const ownTopic = `heliograph.sandbox.partner.${own}.message`;
    reader = await openReader(settings, [topic, ownTopic], [own, other]);
    const records = await reader.take(9);
    const inOwn = records.filter((record) => record.topic === ownTopic);
    expect(inOwn.map(({ event }) => [event["partner"], Number(event["sequence"])])).toEqual([
      [own, 1],
      [own, 2],
      [own, 3],
    ]);
    const inShared = records.filter(
      (record) => record.topic === topic && record.event["partner"] === own,
    );
    expect(inShared.map(({ event, value }) => [event.id, value])).toEqual(
      inOwn.map(({ event, value }) => [event.id, value]),
    );
  },
);
