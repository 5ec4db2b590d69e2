import { failpoint } from "@heliograph/contracts";
import type { Batch } from "@heliograph/log";
import type { KafkaSettings, Reactor, ReactorInstance, ReactorTools } from "@heliograph/runtime";
import type { Message } from "kafkajs";
import { chainPart, fixShards, readChain, relayDdl } from "./chain.ts";
import { kafkaClient } from "./client.ts";
import { openPublisher } from "./publisher.ts";
import { encodeRecord } from "./record.ts";
import { ensureTopics, logTopic, wantedTopics } from "./topics.ts";

/** One request carries at most so much of one partition: a record batch has to stay below the topic's largest. */
const mostEvents = 2_000;
const mostBytes = 1_000_000;

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
  const publisher = await openPublisher(kafka, ({ headers }) => Number(headers!["shard"]));
  const topic = logTopic(environment);
  const chain = await readChain(pool, schema);
  let flight: Promise<void> = Promise.resolve();

  /** Sends what the batch became, then notes it. One is under way while the next is being made. */
  async function publish(
    parts: readonly Message[][],
    position: bigint,
    last: bigint,
    moved: ReadonlyMap<number, bigint>,
  ): Promise<void> {
    for (const messages of parts) await publisher.send([{ topic, messages }]);
    await failpoint("relay.after_send");
    await failpoint("relay.before_checkpoint");
    await checkpoint.commit(position, parts.length === 0 ? [] : [chainPart(last, moved)]);
  }

  return {
    async handle(batch: Batch) {
      const moved = new Map<number, bigint>();
      const parts: Message[][] = [];
      let bytes = Number.POSITIVE_INFINITY;
      for (const event of batch.events) {
        const message = encodeRecord(event, shards, chain);
        const size = (message.value as string).length;
        if (bytes + size > mostBytes) {
          parts.push([]);
          bytes = 0;
        }
        bytes += size;
        parts.at(-1)!.push(message);
      }
      for (const [shard, position] of chain.shards)
        if (position > checkpoint.position) moved.set(shard, position);
      await flight;
      flight = publish(parts, batch.position, chain.last, moved);
      flight.catch(tools.fail);
    },
    async stop() {
      await flight.catch(() => undefined);
      await publisher.close().catch(() => undefined);
    },
  };
}
