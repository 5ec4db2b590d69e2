import { randomUUID } from "node:crypto";
import type { Environment } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import { metricsRegister, type Feed, type KafkaSettings } from "@heliograph/runtime";
import type { Admin, Kafka } from "kafkajs";
import type pg from "pg";
import type { Logger } from "pino";
import { Counter } from "prom-client";
import { readPublished, type Published } from "./tables/chain.ts";
import { kafkaClient } from "./client.ts";
import { Member } from "./feed-member.ts";
import type { FeedTools } from "./feed-tools.ts";
import { joinGroup } from "./member.ts";
import { Tail } from "./tail.ts";
import { ensureTopics, logTopic, logTopics } from "./topics.ts";

/** What the relay has published is asked by many readers at once, and read for all of them. */
const chainAgeMs = 500;

const missing =
  (metricsRegister.getSingleMetric("heliograph_feed_missing_events_total") as
    | Counter<"environment" | "consumer">
    | undefined) ??
  new Counter({
    name: "heliograph_feed_missing_events_total",
    help: "Events that the log topic had lost and that were read from the log instead",
    labelNames: ["environment", "consumer"],
    registers: [metricsRegister],
  });

export type KafkaFeedOptions = {
  readonly settings: KafkaSettings;
  readonly environment: Environment;
  /** The truth: what the topic has lost is read from it. */
  readonly log: EventLog;
  /** The environment's database, where the relay notes what it has published. */
  readonly pool: pg.Pool;
  readonly logger: Logger;
};

/** Brings the events of an environment through its log topic, as consumer groups. Connects nowhere until a consumer joins. */
export function openKafkaFeed(options: KafkaFeedOptions): Feed & { close(): Promise<void> } {
  const { settings, environment, pool, logger } = options;
  const topic = logTopic(environment);
  const groupOf = (consumer: string): string => `heliograph.${environment}.${consumer}`;
  const kafka = kafkaClient(settings, `heliograph.${environment}`, logger);
  const questions = openQuestions(kafka);
  const { ask } = questions;
  let chain: { readonly at: number; readonly value: Promise<Published> } | undefined;

  const ends = () =>
    ask(async (own) => {
      const { topics } = await own.fetchTopicMetadata({ topics: [topic] });
      const found = await own.fetchTopicOffsets(topic);
      // The offsets go by what the client knew when it connected; a client that knows of fewer partitions is replaced.
      if (topics[0]?.partitions.length !== found.length) throw new Error("the topic has grown");
      return found;
    });
  const tail = new Tail(
    { ends, join: (groupId, sink) => joinGroup(kafka, groupId, topic, sink, logger) },
    groupOf(`reader.${randomUUID()}`),
  );

  const tools: FeedTools = {
    log: options.log,
    environment,
    logger,
    missing,
    async ready() {
      await ask((own) => ensureTopics(own, logTopics(settings, environment)));
    },
    ends,
    committed: (name) =>
      ask(async (own) => {
        const groupId = groupOf(name);
        const [found] = await own.fetchOffsets({ groupId, topics: [topic] });
        return (found?.partitions ?? []).map((each) => ({
          partition: each.partition,
          offset: BigInt(each.offset),
        }));
      }),
    chain() {
      if (chain === undefined || performance.now() - chain.at > chainAgeMs) {
        chain = { at: performance.now(), value: readPublished(pool) };
        chain.value.catch(() => (chain = undefined));
      }
      return chain.value;
    },
    join: (name, sink) => tail.join(groupOf(name), sink),
  };
  return {
    shards: settings.shards,
    join: (consumer) => new Member(tools, consumer),
    async close() {
      await tail.close();
      await questions.close();
    },
  };
}

/** One connection for questions, opened when there is one, and again after it failed. */
function openQuestions(kafka: Kafka): {
  ask<T>(question: (admin: Admin) => Promise<T>): Promise<T>;
  close(): Promise<void>;
} {
  let admin: Promise<Admin> | undefined;
  return {
    async ask(question) {
      admin ??= (async () => {
        const own = kafka.admin();
        await own.connect();
        return own;
      })();
      const asked = admin;
      try {
        return await question(await asked);
      } catch (error) {
        if (admin === asked) admin = undefined;
        void asked.then((own) => own.disconnect()).catch(() => undefined);
        throw error;
      }
    },
    async close() {
      await admin?.then((own) => own.disconnect()).catch(() => undefined);
    },
  };
}
