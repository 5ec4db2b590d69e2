import type { Environment } from "@heliograph/contracts";
import {
  ensureTopics,
  kafkaClient,
  logTopic,
  openPublisher,
  recordParts,
  wantedTopics,
  withAdmin,
  type Publisher,
} from "@heliograph/kafka";
import {
  atMost,
  isMachinery,
  messageOf,
  pause,
  type KafkaSettings,
  type Logger,
} from "@heliograph/runtime";
import { partitionNumber } from "./partition.ts";
import type { TopicRecord } from "./record.ts";

const firstPauseMs = 200;
const longestPauseMs = 10_000;

/** Publishes records and goes on trying while the brokers are away. */
export type Outlet = {
  /**
   * Resolves true when every record is on all copies in sync, false when `stopping` ended first: then some may be published. Calls must not overlap.
   *
   * @throws what is not the brokers' trouble.
   */
  publish(records: readonly TopicRecord[]): Promise<boolean>;
  /** Leaves the brokers, or gives up doing so at the deadline. */
  close(deadlineMs: number): Promise<void>;
};

/** Nothing is opened before the first record: an installation starts and stops without its brokers. */
export function openOutlet(
  settings: KafkaSettings,
  environment: Environment,
  logger: Logger,
  stopping: AbortSignal,
): Outlet {
  let publisher: Publisher | undefined;

  async function open(): Promise<Publisher> {
    const kafka = kafkaClient(settings, `heliograph.${environment}.topics`, logger);
    const own = wantedTopics(settings, [environment]).filter(
      ({ topic }) => topic !== logTopic(environment),
    );
    await withAdmin(kafka, (admin) => ensureTopics(admin, own));
    return openPublisher(kafka, ({ key }) => partitionNumber(String(key)), "gzip");
  }

  /** A producer that failed cannot go on: its sequence numbers may not join up with what the brokers have. */
  async function drop(): Promise<void> {
    const failed = publisher;
    publisher = undefined;
    await failed?.close().catch(() => undefined);
  }

  async function send(records: readonly TopicRecord[]): Promise<boolean> {
    const topicMessages = [...Map.groupBy(records, ({ topic }) => topic)].map(
      ([topic, messages]) => ({
        topic,
        messages: messages.map(({ key, value, headers, timestamp }) => ({
          key,
          value,
          headers: { ...headers },
          timestamp,
        })),
      }),
    );
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      if (stopping.aborted) return false;
      try {
        publisher ??= await open();
        await publisher.send(topicMessages);
        return true;
      } catch (error) {
        await drop();
        if (!isMachinery(error)) throw error;
        logger.warn({ error: messageOf(error), pauseMs }, "the brokers did not take the events");
        await pause(pauseMs * (0.5 + Math.random()), stopping);
      }
    }
  }

  return {
    async publish(records) {
      for (const part of recordParts(records)) if (!(await send(part))) return false;
      return true;
    },
    async close(deadlineMs) {
      await atMost(drop(), Math.max(1_000, deadlineMs));
    },
  };
}
