import { randomUUID } from "node:crypto";
import { newLogger, readSettings } from "@heliograph/runtime";
import { testKafka, until } from "@heliograph/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { alterTopics, ensureTopics, kafkaClient, wantedTopics } from "../src/index.ts";

const kafka = await testKafka();
const settings = readSettings({
  HELIOGRAPH_KAFKA_BROKERS: (kafka.brokers ?? ["127.0.0.1:1"]).join(),
  HELIOGRAPH_KAFKA_SHARDS: "4",
  HELIOGRAPH_KAFKA_PARTNER_TOPICS: "ptn_01ARZ3NDEKTSV4RRFFQ69G5FAV",
}).kafka!;
const admin = kafkaClient(settings, "test", newLogger("silent")).admin();
beforeAll(async () => {
  if (!kafka.skip) await admin.connect();
});
afterAll(() => admin.disconnect());

/** The wanted topics under names of this test's own. */
const specs = () => {
  const mark = randomUUID().slice(0, 8);
  return wantedTopics(settings).map((spec) => ({ ...spec, topic: `${mark}.${spec.topic}` }));
};

test("an installation has a log topic and four public ones per environment, and four per partner who asked", () => {
  const names = wantedTopics(settings, ["live"]).map(({ topic }) => topic);
  expect(names).toEqual([
    "heliograph.live.log",
    ...["message", "conversation", "contact", "wallet"].map((name) => `heliograph.live.${name}`),
    ...["message", "conversation", "contact", "wallet"].map(
      (name) => `heliograph.live.partner.ptn_01ARZ3NDEKTSV4RRFFQ69G5FAV.${name}`,
    ),
  ]);
});

test.skipIf(kafka.skip)("topics are created once, by whoever comes first", async () => {
  const wanted = specs();
  const both = await Promise.all([ensureTopics(admin, wanted), ensureTopics(admin, wanted)]);
  expect(both.flatMap(({ created }) => created).toSorted()).toEqual(
    wanted.map(({ topic }) => topic).toSorted(),
  );
  expect(await ensureTopics(admin, wanted)).toEqual({ created: [], differences: [] });
});

test.skipIf(kafka.skip)(
  "differences are told, changed on demand, and what an operator added stays",
  async () => {
    const [spec] = specs();
    const present = {
      ...spec!,
      partitions: 2,
      config: { ...spec!.config, "retention.ms": "1000", "segment.ms": "60000" },
    };
    await ensureTopics(admin, [present]);
    const { differences } = await ensureTopics(admin, [spec!]);
    expect(differences).toEqual([
      { topic: spec!.topic, name: "partitions", wanted: "4", present: "2", alterable: true },
      {
        topic: spec!.topic,
        name: "retention.ms",
        wanted: "604800000",
        present: "1000",
        alterable: true,
      },
    ]);
    expect(await alterTopics(admin, differences)).toEqual(differences);
    // What was altered shows in the metadata of the brokers a moment later.
    await until(async () => (await ensureTopics(admin, [spec!])).differences.length === 0, {
      what: "nothing differs any more",
    });
    const kept = { ...spec!, config: { ...spec!.config, "segment.ms": "60000" } };
    expect((await ensureTopics(admin, [kept])).differences).toEqual([]);
  },
);
