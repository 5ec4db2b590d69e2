import type { RingLimits } from "../ring.ts";
import { withFairReads, type DriverLog } from "../fair-reads.ts";
import { DEFAULT_READS } from "../stream-reads.ts";
import { unwatched, type AppendWatch } from "../watch.ts";
import { type EventLog, type Upcast, type Validate } from "../types.ts";
import { Appender } from "./appender.ts";
import { Calls } from "./calls.ts";
import { connectEventStore, disconnect, unavailable, within } from "./connection.ts";
import { Feed } from "./feed.ts";
import { readPositions } from "./copied.ts";
import { Reader, readEnd } from "./reader.ts";
import { Writer } from "./writer.ts";

export type EventStoreLogOptions = {
  /** `esdb://` or `esdb+discover://`, with credentials and TLS settings. */
  readonly connectionString: string;
  /** Streams are stored as `<namespace>.<stream>`. */
  readonly namespace: string;
  readonly validate?: Validate;
  readonly upcast?: Upcast;
  /** Appends that may wait or be under way before LogUnavailable. Default 10,000. */
  readonly maxWaiting?: number;
  /** For one append, over all its attempts. Default 5 s. */
  readonly appendTimeoutMs?: number;
  /** Recent events kept for subscribers; bytes are those of their content. */
  readonly ring?: RingLimits;
  /** Hears what the log survived: lost connections, repeated appends. Never needed for correctness. */
  readonly onError?: (error: unknown) => void;
  readonly watch?: AppendWatch;
};

/** A subscription that is not confirmed in this time is refused, or the node is not well. */
const openTimeoutMs = 10_000;
/** A node reads for many at once; what one partner may ask of it together is a quarter of what all may. */
const turns = { perPartner: 4, total: 16 };
/** An event with its metadata and the records of other namespaces between two, where nothing better is known. */
const usualDistance = 900;

/** Opens the log of one namespace in EventStoreDB. Throws LogUnavailable when no node answers. */
export async function openEventStoreLog(options: EventStoreLogOptions): Promise<EventLog> {
  const { namespace, upcast } = options;
  const onError = options.onError ?? (() => {});
  const client = connectEventStore(options.connectionString);
  // The last record first: whether a node answers at all must not take the time that a long index may.
  const calls = new Calls(client);
  const positions = await readEnd(calls)
    .then(() => readPositions(calls, namespace))
    .catch(async (error: unknown) => {
      await disconnect(client);
      throw error;
    });
  const reader = new Reader(calls, namespace, positions, upcast);
  const feed = new Feed(calls, namespace, reader, positions, {
    ring: options.ring,
    upcast,
    onError,
  });
  const writer = new Writer(new Appender(calls), reader, feed, {
    namespace,
    validate: options.validate,
    maxWaiting: options.maxWaiting ?? 10_000,
    appendTimeoutMs: options.appendTimeoutMs ?? 5_000,
    onError,
    watch: options.watch ?? unwatched,
  });
  try {
    await within(feed.ready(), openTimeoutMs);
  } catch (error) {
    await feed.close();
    await disconnect(client);
    throw unavailable(error);
  }

  let closing: Promise<void> | undefined;
  async function closeAll(): Promise<void> {
    await writer.close();
    await feed.close();
    await disconnect(client);
  }
  const log: DriverLog = {
    append: (appends) => writer.append(appends),
    readStreams: reader.readStreams,
    readAll: reader.readAll,
    readAt: reader.readAt,
    subscribe: (request) => feed.subscribe(request),
    async head() {
      const head = await reader.head();
      feed.reachFor(head);
      return head;
    },
    seal: async () => undefined,
    span(after, to) {
      if (to <= after) return 0;
      return Math.max(1, Math.round(Number(to - after) / (feed.distance() ?? usualDistance)));
    },
    close: () => (closing ??= closeAll()),
  };
  return withFairReads(log, reader.readPage, DEFAULT_READS, turns);
}
