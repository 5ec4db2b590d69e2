import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { openEventStoreLog } from "@heliograph/log";
import { spawnService, until } from "@heliograph/testkit";
import { eventStoreDouble } from "@heliograph/testkit/eventstore";
import { describe, expect, test } from "vitest";
import { readChain } from "../src/tables/chain.ts";
import { openKafkaFeed, refillTopic, relayConsumer } from "../src/index.ts";
import {
  append,
  everyOneOnce,
  partners,
  shared,
  topic,
  whole,
  withEnvironments,
} from "./environment.ts";

const opened = await withEnvironments();
const child = fileURLToPath(new URL("relay-child.ts", import.meta.url));

/** Records on the log topic. */
async function published(): Promise<number> {
  const ends = await opened.environment.admin.fetchTopicOffsets(topic).catch(() => []);
  return ends.reduce((sum, { high }) => sum + Number(high), 0);
}

/** Waits until the relay has noted everything up to a position as published. */
const noted = (position: bigint) =>
  until(async () => (await readChain(opened.environment.context.pool)).last >= position, {
    timeoutMs: 20_000,
    what: `the relay has published up to ${position}`,
  });

describe.skipIf(opened.impossible)("the relay", () => {
  test("killed after it published and before it noted, publishes the same again, and consumers pass it over", async () => {
    const { context, log, run, relay, databaseUrl } = opened.environment;
    await append(log, 10);
    const killed = spawnService(child, { HELIOGRAPH_FAILPOINT: "relay.after_send:kill" }, [
      databaseUrl,
      opened.broker.brokers.join(),
    ]);
    expect(await killed.exited, killed.output()).toMatchObject({ signal: "SIGKILL" });
    expect(await published()).toBe(10 * partners.length);
    expect((await readChain(context.pool)).last).toBe(0n);
    await run([relay(), whole(), shared("first")]);
    await append(log, 10);
    await everyOneOnce(context, "whole", 20 * partners.length);
    await everyOneOnce(context, "shared", 20 * partners.length);
    expect(await published()).toBe(30 * partners.length);
  });

  test("takes consumers to the end of a log whose end is another's", async () => {
    const { context, kafka, run, relay } = opened.environment;
    const double = await eventStoreDouble();
    const open = (namespace: string) =>
      openEventStoreLog({ connectionString: double.connectionString, namespace });
    const [log, another] = [await open("sandbox"), await open("live")];
    const { environment, pool, logger } = context;
    const feed = openKafkaFeed({ settings: kafka, environment, log, pool, logger });
    try {
      const running = await run([relay(), whole(), shared("first")], { ...context, log, feed });
      await append(log, 1);
      await everyOneOnce(context, "whole", partners.length);
      const last = await append(another, 2);
      await until(() => running.statuses.every(({ position }) => position >= last), {
        timeoutMs: 20_000,
        what: "every consumer is where the log ends",
      });
      await append(log, 1);
      await everyOneOnce(context, "whole", 2 * partners.length);
      await everyOneOnce(context, "shared", 2 * partners.length);
      await running.stop();
    } finally {
      await feed.close();
      await Promise.all([log.close(), another.close()]);
      await double.close();
    }
  });

  test("that another one has replaced notes nothing more", async () => {
    const { context, log, run, relay } = opened.environment;
    await run([relay(), whole(), shared("first")]);
    await append(log, 10);
    await everyOneOnce(context, "whole", 10 * partners.length);
    // As if another relay had taken over while this one stood still.
    await context.pool.query("update relay.checkpoint set epoch = epoch + 1");
    await append(log, 10);
    await everyOneOnce(context, "whole", 20 * partners.length);
    await everyOneOnce(context, "shared", 20 * partners.length);
    await noted(20n * BigInt(partners.length));
    expect(await published()).toBeGreaterThan(20 * partners.length);
  });

  test("publishes the largest event that the log takes, in three bytes a character", async () => {
    const { context, log, run, relay } = opened.environment;
    await run([relay(), whole()]);
    const [outcome] = await log.append([
      {
        stream: "large",
        expected: "no_stream",
        events: [
          {
            id: randomUUID(),
            type: "Tested",
            data: { text: "漢".repeat(1_048_400) },
            metadata: { partner: partners[0]! },
          },
        ],
      },
    ]);
    expect(outcome).toMatchObject({ kind: "appended" });
    await append(log, 1);
    await everyOneOnce(context, "whole", 1 + partners.length);
    await noted(1n + BigInt(partners.length));
  });

  test("says when the brokers are away, and accepts go on", async () => {
    const { log, run, relay } = opened.environment;
    const { statuses } = await run([relay()]);
    await append(log, 1);
    await noted(BigInt(partners.length));
    await opened.broker.kill();
    const position = await append(log, 5);
    await until(() => statuses[0]!.lastError, { timeoutMs: 40_000, what: "the relay says why" });
    await opened.broker.start();
    await noted(position);
    expect(await published()).toBeGreaterThanOrEqual(6 * partners.length);
  }, 90_000);

  test("refuses to divide an environment anew", async () => {
    const { run, relay, log, kafka } = opened.environment;
    const first = await run([relay()]);
    await append(log, 1);
    await noted(BigInt(partners.length));
    await first.stop();
    const { statuses } = await run([relayConsumer({ ...kafka, shards: 4 })]);
    const error = await until(() => statuses[0]!.lastError, { what: "the relay says why" });
    expect(error).toContain("8 shards for ever; HELIOGRAPH_KAFKA_SHARDS must be 8, not 4");
  });
});

describe.skipIf(opened.impossible)("a refill", () => {
  test("publishes a part of the log again while the relay goes on, and our consumers pass it over", async () => {
    const { context, log, kafka, run, relay } = opened.environment;
    await run([relay(), whole(), shared("first")]);
    await append(log, 10);
    await everyOneOnce(context, "whole", 10 * partners.length);
    await noted(10n * BigInt(partners.length));
    const shares: [number, number][] = [];
    const refilled = await refillTopic({
      settings: kafka,
      environment: "sandbox",
      log,
      pool: context.pool,
      logger: context.logger,
      after: 50n,
      to: 150n,
      signal: new AbortController().signal,
      onProgress: (done, total) => shares.push([done, total]),
    });
    expect(refilled).toEqual({ events: 100, position: 150n });
    expect(shares.at(-1)).toEqual([100, 100]);
    expect(await published()).toBe(10 * partners.length + 100);
    await append(log, 10);
    await everyOneOnce(context, "whole", 20 * partners.length);
    await everyOneOnce(context, "shared", 20 * partners.length);
  });

  test("gives a truncated topic back what it had, up to what was published", async () => {
    const { context, log, kafka, run, relay, admin } = opened.environment;
    await run([relay()]);
    await append(log, 10);
    await noted(10n * BigInt(partners.length));
    const before = await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({
      topic,
      partitions: before.map(({ partition, high }) => ({ partition, offset: high })),
    });
    const refilled = await refillTopic({
      settings: kafka,
      environment: "sandbox",
      log,
      pool: context.pool,
      logger: context.logger,
      after: 0n,
      to: 1_000_000n,
      signal: new AbortController().signal,
    });
    expect(refilled.events).toBe(10 * partners.length);
    const after = await admin.fetchTopicOffsets(topic);
    for (const { partition, high, low } of after) {
      const had = Number(before.find((each) => each.partition === partition)!.high);
      expect(Number(high) - Number(low)).toBe(had);
    }
  });

  test("of an environment that no relay has served is refused", async () => {
    const { context, log, kafka } = opened.environment;
    await expect(
      refillTopic({
        settings: kafka,
        environment: "sandbox",
        log,
        pool: context.pool,
        logger: context.logger,
        after: 0n,
        signal: new AbortController().signal,
      }),
    ).rejects.toThrow("no relay has run in sandbox");
  });
});
