import { atMost, messageOf, pause } from "@heliograph/runtime";
import type { Consumer, EachBatchPayload, Kafka } from "kafkajs";
import type { Logger } from "pino";
import { decodeRecord, type Entry } from "./record.ts";

/** Short, because a copy that was killed keeps its partitions so long. */
const sessionTimeoutMs = 6_000;
const heartbeatMs = 1_500;
const rebalanceTimeoutMs = 10_000;
/** The broker answers a fetch as soon as there is a record; without one a poll lasts so long, and leaving the group waits for it. */
const longestPollMs = 1_000;
const metadataMaxAgeMs = 10_000;
const slowestRestartMs = 10_000;
/** A poll that is under way is waited for. */
export const longestLeaveMs = 3_000;
/** A cluster that starts or elects turns members away for a second or two; only what lasts longer is worth a warning. */
const warnFromDelayMs = 1_000;

/** What a member does with what the group gives it. */
export type Sink = {
  /** The partitions that are this member's from now on; everything that was buffered of others is void. */
  assigned(partitions: ReadonlySet<number>): void;
  /** Records of one partition, in order: of the offsets from `first` to below `next`. */
  records(partition: number, entries: readonly Entry[], first: bigint, next: bigint): void;
};

export type Group = {
  pause(partition: number): void;
  resume(partition: number): void;
  /** Says that everything below these offsets is stored. A hint for the next owner, who skips by position anyway; failures are dropped. */
  commit(offsets: ReadonlyMap<number, bigint>): Promise<void>;
  leave(): Promise<void>;
};

/** A membership in the cluster, whose fetching can be moved. */
export type OwnGroup = Group & {
  /** Goes on at an offset, whatever was resolved or committed. */
  seek(partition: number, offset: bigint): void;
};

/**
 * One member of a consumer group on one topic: joins, fetches, and starts again with back-off when the client gives up, until it leaves.
 */
export function joinGroup(
  kafka: Kafka,
  groupId: string,
  topic: string,
  sink: Sink,
  logger: Logger,
): OwnGroup {
  const leaving = new AbortController();
  let consumer: Consumer | undefined;
  const running = keepRunning();

  async function keepRunning(): Promise<void> {
    let delayMs = 200;
    const stopped = new Promise<void>((resolve) =>
      leaving.signal.addEventListener("abort", () => resolve(), { once: true }),
    );
    while (!leaving.signal.aborted) {
      const crashed = Promise.withResolvers<Error>();
      const own = kafka.consumer({
        groupId,
        sessionTimeout: sessionTimeoutMs,
        heartbeatInterval: heartbeatMs,
        rebalanceTimeout: rebalanceTimeoutMs,
        metadataMaxAge: metadataMaxAgeMs,
        maxWaitTimeInMs: longestPollMs,
        minBytes: 1,
        allowAutoTopicCreation: false,
        retry: {
          initialRetryTime: 100,
          maxRetryTime: 1_000,
          retries: 3,
          restartOnFailure: async () => false,
        },
      });
      own.on(own.events.CRASH, ({ payload }) => crashed.resolve(payload.error));
      own.on(own.events.GROUP_JOIN, ({ payload }) => {
        delayMs = 200;
        // The client keeps over a join what was paused before; what is fetched now begins with room.
        quietly(() => own.resume([{ topic }]));
        sink.assigned(new Set(payload.memberAssignment[topic] ?? []));
      });
      try {
        await own.connect();
        await own.subscribe({ topic, fromBeginning: true });
        // Known before it joins: who is told of the assignment may pause a part of it at once.
        consumer = own;
        await own.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch });
        const error = await Promise.race([crashed.promise, stopped]);
        if (error !== undefined) throw error;
      } catch (error) {
        sink.assigned(new Set());
        if (!leaving.signal.aborted)
          logger[delayMs >= warnFromDelayMs ? "warn" : "debug"](
            { group: groupId, error: messageOf(error), retry_in_ms: delayMs },
            "the consumer group is left and joined again",
          );
      }
      consumer = undefined;
      await own.disconnect().catch(() => undefined);
      if (leaving.signal.aborted) return;
      await pause(delayMs * (0.5 + Math.random()), leaving.signal);
      delayMs = Math.min(delayMs * 2, slowestRestartMs);
    }
  }

  async function eachBatch({
    batch,
    resolveOffset,
    isRunning,
    isStale,
  }: EachBatchPayload): Promise<void> {
    if (!isRunning() || isStale()) return;
    const entries: Entry[] = [];
    for (const message of batch.messages) {
      const entry = decodeRecord(message);
      if (entry !== undefined) entries.push(entry);
    }
    const last = batch.lastOffset();
    sink.records(batch.partition, entries, BigInt(batch.firstOffset() ?? last), BigInt(last) + 1n);
    resolveOffset(last);
  }

  return {
    pause: (partition) => quietly(() => consumer?.pause([{ topic, partitions: [partition] }])),
    resume: (partition) => quietly(() => consumer?.resume([{ topic, partitions: [partition] }])),
    seek: (partition, offset) =>
      quietly(() => consumer?.seek({ topic, partition, offset: String(offset) })),
    async commit(offsets) {
      await consumer
        ?.commitOffsets(
          [...offsets].map(([partition, offset]) => ({ topic, partition, offset: String(offset) })),
        )
        .catch((error: unknown) =>
          logger.debug({ group: groupId, error: messageOf(error) }, "offsets were not committed"),
        );
    },
    // Brokers that hang hold a member up for long; the group notices by itself that it is gone.
    async leave() {
      leaving.abort();
      await atMost(running, longestLeaveMs);
    },
  };
}

/** A client that is stopping refuses to be told; what it would have done does not matter any more. */
function quietly(tell: () => void): void {
  try {
    tell();
  } catch {
    // It has left its group.
  }
}
