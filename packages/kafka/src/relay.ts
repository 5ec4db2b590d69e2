import { failpoint } from "@heliograph/contracts";
import { LogUnavailable, type Batch } from "@heliograph/log";
import {
  atMost,
  fixShards,
  isMachinery,
  messageOf,
  pause,
  type KafkaSettings,
  type Reactor,
  type ReactorInstance,
  type ReactorTools,
  type WritePart,
} from "@heliograph/runtime";
import type { Message } from "kafkajs";
import { chainPart, readChain, relayDdl } from "./tables/chain.ts";
import { kafkaClient } from "./client.ts";
import { openPublisher, recordParts } from "./publisher.ts";
import { encodeRecord, placeOf } from "./record.ts";
import { ensureTopics, logTopic, logTopics, withAdmin } from "./topics.ts";

/** A commit's round trip is paid once for so many; 2,000 ordinary events are two requests. */
const mostEvents = 2_000;
const longestCloseMs = 1_000;
/**
 * Small batches follow each other no faster than this, after a burst: each is a request of the relay's and a turn of every consumer's. At 30 messages a second, on a busy
 * machine, 20 ms came to accept → provider call p50 63 ms and 42 % of a core, 10 ms to 27 ms and 62 %, 5 ms to 17 ms and 68 %. The burst lets a lone message through its
 * stages unhindered.
 */
const paceMs = 10;
const burstMs = 100;
/** A batch of this size is worth its request. */
const unpacedEvents = 250;

/**
 * Publishes the log of an environment to its topic, in order of position: the log is the outbox, and there is no other. The runtime gives it what a relay needs:
 * one is active, its checkpoint is fenced, it starts again with back-off while the brokers are away. At least once: what was published
 * and not yet noted when a relay dies is published again, and readers skip it by its position.
 */
export const relayConsumer = (settings: KafkaSettings): Reactor => ({
  kind: "reactor",
  name: "relay",
  schema: "relay",
  types: [],
  feed: "log",
  migrations: [relayDdl],
  maxEvents: mostEvents,
  start: (tools) => start(settings, tools),
});

async function start(settings: KafkaSettings, tools: ReactorTools): Promise<ReactorInstance> {
  const { context, checkpoint, schema, logger } = tools;
  const { environment, pool } = context;
  const { shards } = settings;
  await fixShards(pool, shards, "HELIOGRAPH_KAFKA_SHARDS");
  const kafka = kafkaClient(settings, `heliograph.${environment}.relay`, logger);
  await withAdmin(kafka, (admin) => ensureTopics(admin, logTopics(settings, environment)));
  const publisher = await openPublisher(kafka, placeOf, "zstd");
  const topic = logTopic(environment);
  const chain = await readChain(pool, schema);
  /** The requests of the last batch, and its checkpoint. */
  let sent: Promise<void> = Promise.resolve();
  let noted: Promise<void> = Promise.resolve();
  /** Until when the batches of the past have used up their share of time. */
  let usedUntil = 0;

  async function send(messages: readonly Message[]): Promise<void> {
    for (const part of recordParts(messages))
      await publisher.send([{ topic, messages: [...part] }]);
  }

  async function note(position: bigint, parts: readonly WritePart[]): Promise<void> {
    await failpoint("relay.after_send");
    await failpoint("relay.before_checkpoint");
    await checkpoint.commit(position, parts);
  }

  return {
    // While one batch is being sent, the one before is noted and the one after is read and made into records.
    async handle(batch: Batch) {
      const messages: Message[] = [];
      // A chain only grows: an event from before it, which nobody should hand over, has been published.
      for (const event of batch.events)
        if (event.position > chain.last) messages.push(encodeRecord(event, shards, chain));
      const moved = [...chain.shards].filter(([, position]) => position > checkpoint.position);
      const parts = messages.length === 0 ? [] : [chainPart(chain.last, new Map(moved))];
      const before = noted;
      await sent.catch((error: unknown) => Promise.reject(neverTheEvents(error)));
      sent = send(messages);
      noted = Promise.all([sent, before]).then(() => note(batch.position, parts));
      noted.catch((error: unknown) => tools.fail(neverTheEvents(error)));
      await before.catch(() => undefined);
      if (messages.length === 0 || batch.events.length >= unpacedEvents) return;
      const now = performance.now();
      usedUntil = Math.max(usedUntil, now) + paceMs;
      // What comes meanwhile is in the next batch, because that is taken when this resolves.
      if (usedUntil - now > burstMs) await pause(usedUntil - now - burstMs, tools.stopping);
    },
    // Brokers that hang let a request wait for a minute; what is given up is published again.
    async stop(deadlineMs) {
      await atMost(noted, deadlineMs);
      await atMost(publisher.close(), longestCloseMs);
    },
  };
}

/** The relay looks into no event, so none can be at fault; one that was set aside would be missing from every consumer. */
const neverTheEvents = (error: unknown): unknown =>
  isMachinery(error)
    ? error
    : new LogUnavailable(`the relay failed: ${messageOf(error)}`, { cause: error });
