import type { Category, EventData, EventType, EventTypeOf } from "@heliograph/contracts";

/**
 * The event log port: what every driver promises and every caller codes against.
 *
 * 1. An append is all or nothing, and durable before its promise resolves.
 * 2. `duplicate` when `expected` lies in the past and the ids that follow it are exactly those offered.
 * 3. One bad append in a batch never fails its neighbours.
 * 4. A reader or subscriber sees every event once, in order, with no hole, whatever commits meanwhile.
 * 5. Events are validated when appended and brought to the newest version when read, by what the log was opened with. One that cannot be brought there is given
 *    as version 0, and the rest goes on.
 */

/**
 * A place in a namespace's total order; 0n stands before everything. They only grow, and may have holes: PostgreSQL gives them out without any, from 1, but what `copyLog`
 * brought from another log keeps the positions it had there, and in EventStoreDB they are places in a file. Nobody but a driver calculates with them.
 */
export type Position = bigint;

export type Metadata = {
  readonly partner?: string;
  readonly actor?: string;
  readonly request_id?: string;
  readonly causation?: string;
  readonly correlation?: string;
  readonly traceparent?: string;
  readonly fingerprint?: string;
  /** RFC 3339: when it happened, in a sandbox whose clock is ahead of the real one. */
  readonly at?: string;
  readonly [key: string]: unknown;
};

/**
 * An event to append. `data` and `metadata` must be plain JSON values and must not be changed
 * afterwards: subscribers in the same process receive these very objects.
 */
export type NewEvent = {
  /** A UUID, deterministic where a retry must be recognised. */
  readonly id: string;
  readonly type: string;
  /** Schema version, 1 when left out. */
  readonly version?: number;
  readonly data: object;
  readonly metadata: Metadata;
};

type Recorded<Type extends EventType> = {
  readonly position: Position;
  readonly id: string;
  readonly stream: string;
  /** Place in the stream, dense, from 0. */
  readonly revision: number;
  readonly type: Type;
  /** 0 for a record that cannot be read: then nothing is known of its data, and `metadata.unreadable` says why. */
  readonly version: number;
  readonly data: EventData<Type>;
  readonly metadata: Metadata;
  /** Epoch milliseconds by the log's clock. Order is by position, never by this. */
  readonly recordedAt: number;
};

/** One of these types of event: `type` tells which, and so what `data` is. The log has checked it when it was appended. */
export type RecordedEvent<Type extends EventType = EventType> = {
  readonly [Each in Type]: Recorded<Each>;
}[Type];

/** An event of a stream: the category in its name tells which types there are. */
export type EventIn<Stream extends string> = RecordedEvent<
  Stream extends `${infer Name extends Category}-${string}` ? EventTypeOf<Name> : EventType
>;

/** Tells events of some types from others, for filters and where a whole group of types is handled alike. */
export const ofType =
  <Type extends EventType>(...types: readonly Type[]) =>
  (event: RecordedEvent | undefined): event is Extract<RecordedEvent, { readonly type: Type }> =>
    event !== undefined && (types as readonly EventType[]).includes(event.type);

/** What a store or a wire holds of an event: a type is a text there, and data are JSON. */
export type StoredEvent = Omit<Recorded<EventType>, "type" | "data"> & {
  readonly type: string;
  readonly data: unknown;
};

/**
 * Takes stored bytes for the event they name. The log has checked them when they were appended; what was damaged since, or written by a later release, is for `readEventFlaw` of contracts
 * to find out, and for a `default` where events are told apart.
 */
export const asRecorded = (event: StoredEvent): RecordedEvent => event as RecordedEvent;

/** The state a stream must be in: absent, anything, or with exactly this last revision. */
export type Expected = "no_stream" | "any" | number;

export type Append = {
  readonly stream: string;
  readonly expected: Expected;
  readonly events: readonly NewEvent[];
  /** One of many that come in rounds by themselves: for a moment nobody waits for company, which there is. What is stored is the same. */
  readonly crowded?: true;
  /** Nobody waits for it: it goes with the next that somebody does, and by itself after some 20 ms. What is stored is the same. */
  readonly patient?: true;
};

/**
 * What became of one append. `revision` and `position` are those of its last event.
 * `conflict.actual` is the stream's last revision, -1 when there is no stream.
 * `invalid` means the append can never succeed as it is (schema, name or size).
 */
export type Outcome =
  | {
      readonly kind: "appended" | "duplicate";
      readonly revision: number;
      readonly position: Position;
      readonly recordedAt: number;
    }
  | { readonly kind: "conflict"; readonly actual: number }
  | { readonly kind: "invalid"; readonly message: string };

/** What a subscription yields. `position` is the last one scanned, whether or not it matched. */
export type Batch<Type extends EventType = EventType> = {
  readonly events: readonly RecordedEvent<Type>[];
  readonly position: Position;
  readonly head: Position;
  readonly caughtUp: boolean;
};

export type ReadStreamOptions = {
  /** First revision to give; backwards, the highest. The start (or the end) when left out. */
  readonly from?: number;
  /** Most events to give; left out, all there are. */
  readonly limit?: number;
  readonly backwards?: boolean;
};

export type ReadAllOptions<Type extends EventType = EventType> = {
  readonly after: Position;
  readonly limit: number;
  /** Only these. */
  readonly types?: readonly Type[];
};

export type Page<Type extends EventType = EventType> = {
  readonly events: readonly RecordedEvent<Type>[];
  /** The last position scanned: read on from here. */
  readonly position: Position;
  readonly head: Position;
};

export type SubscribeOptions<Type extends EventType = EventType> = {
  readonly after: Position;
  /** Only these. */
  readonly types?: readonly Type[];
  /** Ends the subscription. */
  readonly signal: AbortSignal;
  /** Most events in one batch, default 500. */
  readonly maxEvents?: number;
};

/** What the hash chain of a log comes to at a position where a link of it ends; in hexadecimal. */
export type Seal = { readonly position: Position; readonly hash: string };

/**
 * Who decides early what follows from events: a flush asks it before it is sent, and what it says is stored with them in one commit, or none of it is. It is never asked while others store
 * something, and need not answer: whatever it does not say is decided from the feed.
 */
export type Companion = {
  /** Those from which something may follow; it is asked where there is one of them. */
  readonly types: ReadonlySet<string>;
  /** Says at once what follows from events that will be stored right behind `base`, the positions being those that they will have; undefined when that cannot be known now. */
  join(coming: readonly RecordedEvent[], base: Position): Joining | undefined;
  /** What this process has stored, everything in order. Where others store too, positions are missing. */
  stored(events: readonly RecordedEvent[]): void;
};
/** Appends of its own at exact revisions. `over` is told once whether they are known to be stored. */
export type Joining = { readonly appends: readonly Append[]; over(stored: boolean): void };

export interface EventLog {
  /** Independent appends, one outcome each, in order. Throws LogUnavailable. */
  append(appends: readonly Append[]): Promise<readonly Outcome[]>;
  /** Lets somebody decide early what follows from appends of this process, until the function that this gives is called. Left out by drivers that cannot store it with them. */
  readonly accompany?: (companion: Companion) => () => void;
  /** All of a stream, or `limit` events of it. Throws ReadTooLarge rather than leave something out. */
  readStream<Stream extends string>(
    stream: Stream,
    options?: ReadStreamOptions,
  ): Promise<readonly EventIn<Stream>[]>;
  /** Many streams at once; a stream without events has an empty list. `limit` is per stream. Throws ReadTooLarge. */
  readStreams<Stream extends string>(
    streams: readonly Stream[],
    options?: { readonly limit?: number },
  ): Promise<ReadonlyMap<Stream, readonly EventIn<Stream>[]>>;
  /** A stream however long it is, with one page of it in memory. Events appended meanwhile may come too. */
  scanStream<Stream extends string>(
    stream: Stream,
    options?: ReadStreamOptions,
  ): AsyncIterable<EventIn<Stream>>;
  /** The same log for what one partner asks: its reads take turns with those of other partners, so that nobody's wait for one who asks for much. */
  forPartner(partner: string): EventLog;
  readAll<Type extends EventType = EventType>(options: ReadAllOptions<Type>): Promise<Page<Type>>;
  /** The event at exactly this position, undefined where there is none. */
  readAt(position: Position): Promise<RecordedEvent | undefined>;
  /**
   * Never ends by itself and survives disconnects. The first batch comes at once, empty when there is
   * nothing; a batch may be empty later too, when only `position` moved past events that do not match.
   */
  subscribe<Type extends EventType = EventType>(
    options: SubscribeOptions<Type>,
  ): AsyncIterable<Batch<Type>>;
  head(): Promise<Position>;
  /** What the chain comes to at its end; undefined where the driver keeps none, and for an empty log. */
  seal(): Promise<Seal | undefined>;
  /** How many events lie after one position up to another: exact where positions are dense, an estimate elsewhere. 0 when there is nothing between. */
  span(after: Position, to: Position): number;
  /** Flushes what waits, ends the subscriptions, closes the connections. */
  close(): Promise<void>;
}

/** Rejects an append before it is stored: the reason, or undefined when the event is sound. */
export type Validate = (event: NewEvent) => string | undefined;
/** Brings an event of an older version to the newest one. */
export type Upcast = (event: RecordedEvent) => RecordedEvent;

/**
 * The log cannot take this now: queue full, database away, or closed. Safe to retry with the same ids after
 * `retryAfterMs`. `outcomeUnknown` means that the events may have been stored nevertheless.
 */
export class LogUnavailable extends Error {
  override readonly name = "LogUnavailable";
  readonly retryAfterMs: number;
  readonly outcomeUnknown: boolean;
  constructor(
    message: string,
    options: { retryAfterMs?: number; outcomeUnknown?: boolean; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.retryAfterMs = options.retryAfterMs ?? 1_000;
    this.outcomeUnknown = options.outcomeUnknown ?? false;
  }
}

/** A read would give more than one process may hold: it is refused whole, because a part looks like the rest is not there. */
export class ReadTooLarge extends Error {
  override readonly name = "ReadTooLarge";
  constructor(what: string, maxBytes: number) {
    super(`${what}: more than ${maxBytes} bytes in one read`);
  }
}

/** How many positions lie between, where they are dense. */
export const denseSpan = (after: Position, to: Position): number =>
  to > after ? Number(to - after) : 0;

/** The form positions take outside: 16 digits, so that they sort as strings. */
export function formatPosition(position: Position): string {
  return position.toString().padStart(16, "0");
}

/** Reads what formatPosition wrote; undefined when the text is not a position. */
export function parsePosition(text: string): Position | undefined {
  return /^\d{1,18}$/.test(text) ? BigInt(text) : undefined;
}
