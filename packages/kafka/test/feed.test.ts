import { until } from "@heliograph/testkit";
import type { EventLog } from "@heliograph/log";
import { metricsRegister, newLogger } from "@heliograph/runtime";
import { kafkaClient } from "../src/index.ts";
import { joinGroup, type Sink } from "../src/member.ts";
import { describe, expect, test } from "vitest";
import {
  append,
  everyOneOnce,
  keeping,
  partners,
  seen,
  shared,
  topic,
  whole,
  withEnvironments,
} from "./environment.ts";

const opened = await withEnvironments();

async function missing(consumer: string): Promise<number> {
  const metric = metricsRegister.getSingleMetric("heliograph_feed_missing_events_total");
  const { values } = await metric!.get();
  return values.find(({ labels }) => labels["consumer"] === consumer)?.value ?? 0;
}

/** It is said once the events are stored, a moment after a test sees them. */
const missed = (consumer: string, count: number): Promise<unknown> =>
  until(async () => (await missing(consumer)) === count, {
    timeoutMs: 5_000,
    what: `${count} events were missing for ${consumer}`,
  });

type Keeping = Pick<ReturnType<typeof keeping>, "events">;
const share = (log: EventLog, one: Keeping, other: Keeping): Promise<unknown> =>
  until(
    async () => {
      await append(log, 1);
      const event = one.events.at(-1);
      return event !== undefined && other.events.includes(event);
    },
    { timeoutMs: 20_000, what: "both are given the same event" },
  );

/** Everything that the partitions of the log topic hold now is deleted. */
async function truncate(): Promise<void> {
  const ends = await opened.environment.admin.fetchTopicOffsets(topic);
  await opened.environment.admin.deleteTopicRecords({
    topic,
    partitions: ends.map(({ partition, high }) => ({ partition, offset: high })),
  });
}

describe.skipIf(opened.impossible)("consumers on a Kafka feed", () => {
  test("events of many partners and partitions come in total order, each once", async () => {
    const { context, log, run, relay } = opened.environment;
    await append(log, 30);
    await run([relay(), whole()]);
    await append(log, 30);
    const all = await everyOneOnce(context, "whole", 60 * partners.length);
    expect(all.map(({ position }) => Number(position))).toEqual(all.map((_, index) => index + 1));
    expect(await missing("whole")).toBe(0);
  });

  test("a restart goes on at the checkpoint, without a hole and without a repetition", async () => {
    const { context, log, run, relay, copy } = opened.environment;
    const first = await run([relay(), whole()]);
    await append(log, 20);
    await everyOneOnce(context, "whole", 20 * partners.length);
    await first.stop();
    await append(log, 20);
    await run([relay(), whole()], await copy());
    await everyOneOnce(context, "whole", 40 * partners.length);
    expect(await missing("whole")).toBe(0);
  });

  test("consumers of one process are given the same events, decoded once", async () => {
    const { log, run, relay } = opened.environment;
    const [one, other] = [keeping("one"), keeping("other")];
    await run([relay(), one.consumer, other.consumer]);
    expect(await share(log, one, other)).toBe(true);
  });

  test("a consumer that stands still holds up no neighbour, goes on by itself and is given everything", async () => {
    const { log, run, relay } = opened.environment;
    const gate = Promise.withResolvers<void>();
    const closed: Promise<void>[] = [];
    const slow = keeping("slow", async () => void (await Promise.all(closed)));
    const quick = keeping("quick");
    await run([relay(), slow.consumer, quick.consumer]);
    await share(log, slow, quick);
    closed.push(gate.promise);
    const before = Number(await log.head());
    // More than waits for a consumer in one partition and is kept for all of them.
    const stands = 20_000;
    await append(
      log,
      stands / 500,
      Array.from({ length: 500 }, () => partners[0]!),
    );
    await until(() => quick.events.length >= before + stands, {
      timeoutMs: 20_000,
      what: "the quick one has come to the end",
    });
    gate.resolve();
    await until(() => slow.events.length >= before + stands, {
      timeoutMs: 20_000,
      what: "the slow one has come to the end",
    });
    expect(slow.events.map(({ position }) => Number(position))).toEqual(
      Array.from({ length: before + stands }, (_, index) => index + 1),
    );
    // What it had room for was shared, what was kept no longer it has fetched and decoded for itself.
    const alone = slow.events.filter((event, index) => event !== quick.events[index]);
    expect(alone.length).toBeGreaterThan(stands / 4);
    expect(slow.events[before]).toBe(quick.events[before]);
    expect(await missing("slow")).toBe(0);
  });

  test("a member that joins again begins where its group committed, whatever was sought and not yet fetched", async () => {
    const { log, run, relay, kafka } = opened.environment;
    await run([relay()]);
    await append(log, 5);
    const client = kafkaClient(kafka, "test", newLogger("silent"));
    const firsts = new Map<number, bigint>();
    let joins = 0;
    let mine: ReadonlySet<number> = new Set();
    const join = (sink: Partial<Sink>) =>
      joinGroup(
        client,
        "heliograph.sandbox.sought",
        topic,
        { assigned: () => undefined, records: () => undefined, ...sink },
        newLogger("silent"),
      );
    const group = join({
      assigned(partitions) {
        joins++;
        firsts.clear();
        mine = partitions;
      },
      records(partition, _entries, first) {
        if (!firsts.has(partition)) firsts.set(partition, first);
      },
    });
    await until(() => firsts.size > 1, { timeoutMs: 20_000, what: "records have come" });
    const joined = joins;
    const second = join({});
    const found = await until(
      () => {
        if (joins > joined) return firsts.size > 0 && [...firsts.values()];
        // Again and again: a fetch takes up what was sought before it, also of what is paused.
        for (const partition of mine) group.seek(partition, 2n);
        return false;
      },
      { timeoutMs: 20_000, what: "records have come after the second join" },
    );
    await Promise.all([group.leave(), second.leave()]);
    expect(new Set(found)).toEqual(new Set([0n]));
  });

  test("a shard that starts again in its process has missed nothing, and says so", async () => {
    const { context, log, run, relay } = opened.environment;
    let fails = true;
    const breaking = shared("first", "breaking", () => {
      if (fails) throw Object.assign(new Error("the store is away"), { code: "ECONNREFUSED" });
    });
    const { statuses } = await run([relay(), breaking]);
    await append(log, 5);
    await until(() => statuses.filter(({ lastError }) => lastError !== undefined).length > 1, {
      timeoutMs: 20_000,
      what: "shards have failed",
    });
    fails = false;
    await append(log, 5);
    await everyOneOnce(context, "breaking", 10 * partners.length);
    expect(await missing("breaking")).toBe(0);
  });

  test("copies share the shards; when one joins or leaves nothing is lost or done twice", async () => {
    const { context, log, run, relay, copy } = opened.environment;
    await run([relay(), shared("first")]);
    await append(log, 10);
    await everyOneOnce(context, "shared", 10 * partners.length);
    const second = await run([shared("second")], await copy());
    await until(
      async () => {
        await append(log, 1);
        return (await seen(context, "shared")).some(({ owner }) => owner.startsWith("second/"));
      },
      { timeoutMs: 30_000, what: "the second copy has work" },
    );
    await append(log, 10);
    const head = Number(await log.head());
    const all = await everyOneOnce(context, "shared", head);
    const late = new Set(
      all
        .toSorted((one, other) => Number(one.position) - Number(other.position))
        .slice(-5 * partners.length)
        .map(({ owner }) => owner.split("/")[0]),
    );
    expect(late).toEqual(new Set(["first", "second"]));
    await second.stop();
    await append(log, 10);
    await everyOneOnce(context, "shared", head + 10 * partners.length);
  });

  test("a truncated topic is noticed without later records, and the log gives what it lost", async () => {
    const { context, log, run, relay, copy } = opened.environment;
    const first = await run([relay(), whole(), shared("first")]);
    await append(log, 5);
    await everyOneOnce(context, "whole", 5 * partners.length);
    await everyOneOnce(context, "shared", 5 * partners.length);
    await first.stop();
    const onlyRelay = await run([relay()], await copy());
    await append(log, 5);
    await until(() => onlyRelay.statuses[0]!.position >= 10n * BigInt(partners.length), {
      timeoutMs: 20_000,
      what: "the relay has published",
    });
    await truncate();
    await run([whole(), shared("second")], await copy());
    await everyOneOnce(context, "whole", 10 * partners.length);
    await everyOneOnce(context, "shared", 10 * partners.length);
    expect(await missed("whole", 5 * partners.length)).toBe(true);
    await append(log, 5);
    await everyOneOnce(context, "whole", 15 * partners.length);
    await everyOneOnce(context, "shared", 15 * partners.length);
    expect(await missing("whole")).toBe(5 * partners.length);
  });

  test("a single partition that lost its records is made good after one wait, not one for each hole", async () => {
    const { context, log, run, relay, copy, admin } = opened.environment;
    const first = await run([relay(), whole()]);
    await append(log, 5);
    await everyOneOnce(context, "whole", 5 * partners.length);
    await first.stop();
    const onlyRelay = await run([relay()], await copy());
    await append(log, 40);
    await until(() => onlyRelay.statuses[0]!.position >= 45n * BigInt(partners.length), {
      timeoutMs: 20_000,
      what: "the relay has published",
    });
    const [lost] = await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({
      topic,
      partitions: [{ partition: lost!.partition, offset: lost!.high }],
    });
    await run([whole()], await copy());
    // Forty holes of a second and a half each would take a minute.
    await everyOneOnce(context, "whole", 45 * partners.length, 20_000);
  });

  test("a checkpoint that was set back behind its group's offsets is made good from the log, without later records", async () => {
    const { context, log, run, relay, copy } = opened.environment;
    const first = await run([relay(), whole("back"), shared("first")]);
    await append(log, 10);
    await everyOneOnce(context, "back", 10 * partners.length);
    await everyOneOnce(context, "shared", 10 * partners.length);
    await first.stop();
    // As a crash of PostgreSQL does to a projector, which loses its last commits together with its rows.
    await context.pool.query("update back.checkpoint set position = 150");
    await context.pool.query("delete from back.seen where position > 150");
    await context.pool.query("update shared.checkpoint set position = least(position, 120)");
    await context.pool.query("delete from shared.seen where position > 120");
    await run([relay(), whole("back"), shared("second")], await copy());
    await everyOneOnce(context, "back", 10 * partners.length);
    await everyOneOnce(context, "shared", 10 * partners.length);
    expect(await missed("back", 10 * partners.length - 150)).toBe(true);
  });

  test("a deleted group starts at the beginning of the topic and applies nothing again", async () => {
    const { context, log, run, relay, copy, admin } = opened.environment;
    const first = await run([relay(), whole(), shared("first")]);
    await append(log, 10);
    await everyOneOnce(context, "whole", 10 * partners.length);
    await everyOneOnce(context, "shared", 10 * partners.length);
    await first.stop();
    await until(
      () =>
        admin.deleteGroups(["heliograph.sandbox.whole", "heliograph.sandbox.shared"]).then(
          () => true,
          () => false,
        ),
      { timeoutMs: 20_000, what: "the groups are deleted" },
    );
    await run([relay(), whole(), shared("second")], await copy());
    await append(log, 10);
    await everyOneOnce(context, "whole", 20 * partners.length);
    await everyOneOnce(context, "shared", 20 * partners.length);
  });

  test("a topic that grows under load keeps the order of every partner", async () => {
    const { context, log, run, relay, copy, admin } = opened.environment;
    await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 4 }] });
    await run([relay(), whole(), shared("first")]);
    await run([shared("second")], await copy());
    await append(log, 20);
    await admin.createPartitions({ topicPartitions: [{ topic, count: 8 }] });
    let rounds = 20;
    await until(
      async () => {
        await append(log, 5);
        rounds += 5;
        // A client may go by the partitions that it knew when it connected.
        const fresh = kafkaClient(opened.environment.kafka, "fresh", newLogger("silent")).admin();
        await fresh.connect();
        const ends = await fresh.fetchTopicOffsets(topic);
        await fresh.disconnect();
        return ends.length === 8 && ends.every(({ high }) => Number(high) > 0);
      },
      { timeoutMs: 40_000, what: "the relay uses the new partitions" },
    );
    await everyOneOnce(context, "whole", rounds * partners.length);
    await everyOneOnce(context, "shared", rounds * partners.length);
  }, 120_000);

  test("a broker that is killed, or stands still, delays and loses nothing", async () => {
    const { context, log, run, relay } = opened.environment;
    await run([relay(), whole(), shared("first")]);
    await append(log, 10);
    await everyOneOnce(context, "whole", 10 * partners.length);
    await opened.broker.kill();
    await append(log, 10);
    await opened.broker.start();
    await everyOneOnce(context, "whole", 20 * partners.length, 60_000);
    await everyOneOnce(context, "shared", 20 * partners.length, 60_000);
    opened.broker.pause();
    await append(log, 10);
    // The time is the fault: a member's session is 6 s, and nothing is to be seen of a broker that stands still.
    const longerThanASessionMs = 8_000;
    await new Promise((resolve) => setTimeout(resolve, longerThanASessionMs));
    opened.broker.resume();
    await append(log, 10);
    await everyOneOnce(context, "whole", 40 * partners.length, 60_000);
    const all = await everyOneOnce(context, "shared", 40 * partners.length, 60_000);
    expect(all).toHaveLength(40 * partners.length);
  }, 180_000);
});
