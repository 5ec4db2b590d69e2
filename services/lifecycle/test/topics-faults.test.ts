import { newId } from "@heliograph/contracts";
import { openPostgresLog } from "@heliograph/log";
import { readLifecycle } from "../src/tables/lifecycle.ts";
import { runConsumer } from "@heliograph/runtime";
import {
  spawnService,
  startKafka,
  testKafka,
  whyNoOwnKafka,
  type KafkaBroker,
  type SpawnedService,
} from "@heliograph/testkit";
import { afterEach, expect, test } from "vitest";
import { lifecycleProjector } from "../src/index.ts";
import { topicsReactor } from "../src/topics/reactor.ts";
import {
  kafkaSettings,
  openReader,
  openWorld,
  type Read,
  type Reader,
  type World,
} from "./topics-harness.ts";

const kafka = await testKafka();
const noOwn = await whyNoOwnKafka();
const topic = "heliograph.sandbox.message";
let world: World | undefined;
let reader: Reader | undefined;
let child: SpawnedService | undefined;
let broker: KafkaBroker | undefined;
afterEach(async () => {
  child?.kill("SIGKILL");
  await child?.exited;
  await reader?.close();
  await world?.close();
  await broker?.remove();
  child = reader = world = broker = undefined;
});

/** The first occurrence of each event, in the order of the partition. */
const withoutRepeats = (records: readonly Read[]): readonly Read[] => {
  const seen = new Set<string>();
  return records.filter(({ event }) => !seen.has(event.id) && seen.add(event.id));
};
const sequences = (records: readonly Read[]): readonly number[] =>
  records.map(({ event }) => Number(event["sequence"])).toSorted((a, b) => a - b);
const upTo = (count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => index + 1);

test.skipIf(kafka.skip)(
  "killed after a send and before its checkpoint, it sends the same ids again and leaves no hole",
  async () => {
    const partner = newId("ptn");
    world = await openWorld((url) =>
      openPostgresLog({ connection: { connectionString: url }, namespace: "sandbox" }),
    );
    const entry = new URL("./child.ts", import.meta.url).pathname;
    const spawn = (failpoint: string): SpawnedService =>
      (child = spawnService(entry, { HELIOGRAPH_FAILPOINT: failpoint }, [
        world!.url,
        kafka.brokers!.join(),
      ]));
    for (let index = 0; index < 3; index++) await world.message(partner);
    const first = spawn("topics.after_send:kill");
    expect(await first.exited).toEqual({ code: null, signal: "SIGKILL" });
    await world.message(partner);
    spawn("");
    reader = await openReader(kafkaSettings(kafka.brokers!), [topic], [partner]);
    // Nine events twice or, where the first batch had fewer of them, some of them once; the last three once.
    // The partitions come in any order: all are here when the repeats and every number are.
    const records = await reader.until(
      () => reader!.records.length > 12 && withoutRepeats(reader!.records).length === 12,
    );
    const once = withoutRepeats(records);
    expect(sequences(once)).toEqual(upTo(12));
    for (const record of records)
      expect(record.value).toBe(once.find(({ event }) => event.id === record.event.id)!.value);
    for (const key of new Set(once.map((record) => record.key)))
      expect(once.filter((record) => record.key === key).map(({ event }) => event.type)).toEqual([
        "message.queued",
        "message.sent",
        "message.delivered",
      ]);
  },
);

test.skipIf(noOwn)(
  "while the brokers are away the feed goes on and stopping is quick; when they are back nothing is missing",
  async () => {
    broker = await startKafka();
    const settings = kafkaSettings(broker.brokers);
    const partner = newId("ptn");
    world = await openWorld();
    const { context, pool, log } = world;
    await world.message(partner);
    let topics = await runConsumer(topicsReactor(settings), context);
    const feed = await runConsumer(lifecycleProjector("sandbox"), context);
    await topics.caughtUp(await log.head());
    await broker.kill();
    await world.message(partner);
    await feed.caughtUp(await log.head());
    const page = await readLifecycle(pool, { partner, after: 0, limit: 100 });
    expect(page.last).toBe(6);
    const stoppedAt = performance.now();
    await topics.stop();
    expect(performance.now() - stoppedAt).toBeLessThan(10_000);
    // Started while they are away as well.
    topics = await runConsumer(topicsReactor(settings), context);
    await world.message(partner);
    await broker.start();
    reader = await openReader(settings, [topic], [partner]);
    await reader.until(() => sequences(withoutRepeats(reader!.records)).length === 9);
    expect(sequences(withoutRepeats(reader.records))).toEqual(upTo(9));
    await topics.caughtUp(await log.head());
    expect(topics.lastError).toBeUndefined();
    await Promise.all([topics.stop(), feed.stop()]);
  },
  60_000,
);
