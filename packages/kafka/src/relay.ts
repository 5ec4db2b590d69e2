import { failpoint } from "@heliograph/contracts";
import { LogUnavailable, type Batch } from "@heliograph/log";
import {
  isMachinery,
  messageOf,
  pause,
  type KafkaSettings,
  type Reactor,
  type ReactorInstance,
  type ReactorTools,
} from "@heliograph/runtime";
import type { Message } from "kafkajs";
import { chainPart, fixShards, readChain, relayDdl } from "./chain.ts";
import { kafkaClient } from "./client.ts";
import { openPublisher, recordParts } from "./publisher.ts";
import { encodeRecord, placeOf } from "./record.ts";
import { ensureTopics, logTopic, wantedTopics } from "./topics.ts";

/** A commit's round trip is paid once for so many; 2,000 ordinary events are two requests. */
const mostEvents = 2_000;
const longestCloseMs = 1_000;

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
  ddl: relayDdl,
  maxEvents: mostEvents,
  start: (tools) => start(settings, tools),
});

async function start(settings: KafkaSettings, tools: ReactorTools): Promise<ReactorInstance> {
  const { context, checkpoint, schema, logger } = tools;
  const { environment, pool } = context;
  const { shards } = settings;
  await fixShards(pool, schema, shards);
  const kafka = kafkaClient(settings, `heliograph.${environment}.relay`, logger);
  const admin = kafka.admin();
  await admin.connect();
  try {
    const specs = wantedTopics(settings, [environment]).filter(
      ({ topic }) => topic === logTopic(environment),
    );
    await ensureTopics(admin, specs);
  } finally {
    await admin.disconnect();
  }
  const publisher = await openPublisher(kafka, placeOf);
  const topic = logTopic(environment);
  const chain = await readChain(pool, schema);
  let flight: Promise<void> = Promise.resolve();

  /** Sends what the batch became, then notes it. One is under way while the next is being made. */
  async function publish(
    parts: readonly (readonly Message[])[],
    position: bigint,
    last: bigint,
    moved: ReadonlyMap<number, bigint>,
  ): Promise<void> {
    try {
      for (const messages of parts) await publisher.send([{ topic, messages: [...messages] }]);
      await failpoint("relay.after_send");
      await failpoint("relay.before_checkpoint");
      await checkpoint.commit(position, parts.length === 0 ? [] : [chainPart(last, moved)]);
    } catch (error) {
      if (isMachinery(error)) throw error;
      // The relay looks into no event, so none can be at fault; one that was set aside would be missing from every consumer.
      throw new LogUnavailable(`the relay failed: ${messageOf(error)}`, { cause: error });
    }
  }

  return {
    async handle(batch: Batch) {
      const messages: Message[] = [];
      // A chain only grows: an event from before it, which nobody should hand over, has been published.
      for (const event of batch.events)
        if (event.position > chain.last) messages.push(encodeRecord(event, shards, chain));
      const moved = new Map<number, bigint>();
      for (const [shard, position] of chain.shards)
        if (position > checkpoint.position) moved.set(shard, position);
      const { last } = chain;
      await flight;
      flight = publish(recordParts(messages), batch.position, last, moved);
      flight.catch(tools.fail);
    },
    // Brokers that hang let a request wait for a minute; what is given up is published again.
    async stop(deadlineMs) {
      await within(deadlineMs, flight);
      await within(longestCloseMs, publisher.close());
    },
  };
}

/** Waits for the end of work, good or bad, but not longer. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  const ended = new AbortController();
  await Promise.race([work.catch(() => undefined), pause(ms, ended.signal)]);
  ended.abort();
}
