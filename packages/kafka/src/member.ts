import { atMost, messageOf, pause } from "@heliograph/runtime";
import type { Consumer, EachBatchPayload, Kafka } from "kafkajs";
import type { Logger } from "pino";
import { decodeRecord, type Entry } from "./record.ts";

/** Short, because a copy that was killed keeps its partitions so long. One that lives and was still taken for dead gets twice the time, up to the longest: without processor time to spare it would join again and again, and read nothing. */
const sessionTimeoutMs = 6_000;
const longestSessionMs = 48_000;
/** A member whom its group did not miss for so long gets along with half the time again: it may have been a cut of the network, or a broker that was away. */
const quietMs = 600_000;
const heartbeatMs = 1_500;
const rebalanceTimeoutMs = 10_000;
/** The broker answers a fetch as soon as there is a record; without one a poll lasts so long, and leaving the group waits for it. */
const longestPollMs = 1_000;
const metadataMaxAgeMs = 10_000;
/** Packed: a thousand events. What one fetch brings waits in memory, and after an outage every consumer fetches of every partition. */
const mostFetchedBytes = 131_072;
const firstRestartMs = 200;
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
 * One member of a consumer group on one topic, until it leaves:
 *
 *     joining ──▶ joined ⇄ (rebalance: assigned again) ──▶ crashed ──▶ backing off ──▶ joining …
 *        └───────────┴──────────────── leave ─────────────────┴──▶ left
 *
 * The client ends by itself when the cluster turns it away or a broker is lost; a new one is then made, after 0.2 s at first and 10 s at most. Between the end of one and the
 * assignment of the next the member has no partitions, and everybody who reads through it hears that.
 */
class Membership implements OwnGroup {
  readonly #kafka: Kafka;
  readonly #groupId: string;
  readonly #topic: string;
  readonly #sink: Sink;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #leaving = new AbortController();
  readonly #left: Promise<void>;
  readonly #running: Promise<void>;
  #consumer: Consumer | undefined;
  #delayMs = firstRestartMs;
  #sessionMs = sessionTimeoutMs;

  constructor(
    kafka: Kafka,
    groupId: string,
    topic: string,
    sink: Sink,
    logger: Logger,
    now: () => number,
  ) {
    this.#kafka = kafka;
    this.#groupId = groupId;
    this.#topic = topic;
    this.#sink = sink;
    this.#logger = logger;
    this.#now = now;
    this.#left = new Promise((resolve) =>
      this.#leaving.signal.addEventListener("abort", () => resolve(), { once: true }),
    );
    this.#running = this.#keepRunning();
  }

  async #keepRunning(): Promise<void> {
    const leaving = this.#leaving.signal;
    while (!leaving.aborted) {
      const own = this.#newConsumer();
      try {
        await this.#runUntilCrash(own);
      } catch (error) {
        this.#sink.assigned(new Set());
        if (!leaving.aborted)
          this.#logger[this.#delayMs >= warnFromDelayMs ? "warn" : "debug"](
            { group: this.#groupId, error: messageOf(error), retry_in_ms: this.#delayMs },
            "the consumer group is left and joined again",
          );
      }
      this.#consumer = undefined;
      await own.disconnect().catch(() => undefined);
      if (leaving.aborted) return;
      await pause(this.#delayMs * (0.5 + Math.random()), leaving);
      this.#delayMs = Math.min(this.#delayMs * 2, slowestRestartMs);
    }
  }

  #newConsumer(): Consumer {
    return this.#kafka.consumer({
      groupId: this.#groupId,
      sessionTimeout: this.#sessionMs,
      heartbeatInterval: heartbeatMs,
      rebalanceTimeout: Math.max(rebalanceTimeoutMs, this.#sessionMs),
      metadataMaxAge: metadataMaxAgeMs,
      maxWaitTimeInMs: longestPollMs,
      maxBytesPerPartition: mostFetchedBytes,
      minBytes: 1,
      allowAutoTopicCreation: false,
      retry: {
        initialRetryTime: 100,
        maxRetryTime: 1_000,
        retries: 3,
        restartOnFailure: async () => false,
      },
    });
  }

  /** Resolves when the member leaves; throws what ended the client. */
  async #runUntilCrash(own: Consumer): Promise<void> {
    const topic = this.#topic;
    const crashed = Promise.withResolvers<Error>();
    own.on(own.events.CRASH, ({ payload }) => crashed.resolve(payload.error));
    let known: string | undefined;
    let joinedAt = Infinity;
    own.on(own.events.GROUP_JOIN, ({ payload }) => {
      this.#delayMs = firstRestartMs;
      // A rebalance keeps the name that the group gave it; another one means that the group had taken it for dead.
      const isMissed = known !== undefined && known !== payload.memberId;
      if (known !== payload.memberId) joinedAt = this.#now();
      known = payload.memberId;
      if (isMissed && this.#sessionMs < longestSessionMs)
        return crashed.resolve(this.#doubleSession());
      // The client keeps over a join what was paused before; what is fetched now begins with room.
      quietly(() => own.resume([{ topic }]));
      this.#sink.assigned(new Set(payload.memberAssignment[topic] ?? []));
    });
    own.on(own.events.HEARTBEAT, () => {
      if (this.#sessionMs === sessionTimeoutMs || this.#now() - joinedAt < quietMs) return;
      joinedAt = Infinity;
      crashed.resolve(this.#halveSession());
    });
    await own.connect();
    await own.subscribe({ topic, fromBeginning: true });
    // Known before it joins: who is told of the assignment may pause a part of it at once.
    this.#consumer = own;
    await own.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => this.#take(payload),
    });
    const error = await Promise.race([crashed.promise, this.#left]);
    if (error !== undefined) throw error;
  }

  #doubleSession(): Error {
    this.#sessionMs *= 2;
    this.#logger.warn(
      { group: this.#groupId, session_seconds: this.#sessionMs / 1000 },
      "the group heard nothing in time and is given twice the time: a kill of this process stays unnoticed for so long",
    );
    return new Error("the group heard nothing in time");
  }

  /** The group agrees on a member's time when it joins. */
  #halveSession(): Error {
    this.#sessionMs /= 2;
    this.#logger.info(
      { group: this.#groupId, session_seconds: this.#sessionMs / 1000 },
      "the group heard in time for ten minutes and is given half the time again",
    );
    return new Error("the time that the group waits is shorter again");
  }

  async #take({ batch, resolveOffset, isRunning, isStale }: EachBatchPayload): Promise<void> {
    if (!isRunning() || isStale()) return;
    const entries: Entry[] = [];
    for (const message of batch.messages) {
      const entry = decodeRecord(message);
      if (entry !== undefined) entries.push(entry);
    }
    const last = batch.lastOffset();
    const first = BigInt(batch.firstOffset() ?? last);
    this.#sink.records(batch.partition, entries, first, BigInt(last) + 1n);
    resolveOffset(last);
  }

  pause(partition: number): void {
    quietly(() => this.#consumer?.pause([{ topic: this.#topic, partitions: [partition] }]));
  }

  resume(partition: number): void {
    quietly(() => this.#consumer?.resume([{ topic: this.#topic, partitions: [partition] }]));
  }

  seek(partition: number, offset: bigint): void {
    quietly(() => this.#consumer?.seek({ topic: this.#topic, partition, offset: String(offset) }));
  }

  async commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    const topic = this.#topic;
    await this.#consumer
      ?.commitOffsets(
        [...offsets].map(([partition, offset]) => ({ topic, partition, offset: String(offset) })),
      )
      .catch((error: unknown) =>
        this.#logger.debug(
          { group: this.#groupId, error: messageOf(error) },
          "offsets were not committed",
        ),
      );
  }

  /** Brokers that hang hold a member up for long; the group notices by itself that it is gone. */
  async leave(): Promise<void> {
    this.#leaving.abort();
    await atMost(this.#running, longestLeaveMs);
  }
}

/** Joins, fetches, and joins again whenever the client gives up, until it leaves. */
export const joinGroup = (
  kafka: Kafka,
  groupId: string,
  topic: string,
  sink: Sink,
  logger: Logger,
  now: () => number = () => performance.now(),
): OwnGroup => new Membership(kafka, groupId, topic, sink, logger, now);

/** A client that is stopping refuses to be told; what it would have done does not matter any more. */
function quietly(tell: () => void): void {
  try {
    tell();
  } catch {
    // It has left its group.
  }
}
