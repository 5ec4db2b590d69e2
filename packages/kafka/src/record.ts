import { shardOf } from "@heliograph/contracts";
import { asRecorded, type RecordedEvent, type StoredEvent } from "@heliograph/log";
import type { IHeaders, KafkaMessage, Message } from "kafkajs";

/** Where an event stands in its namespace and in its shard: what came before it, so that a hole shows. */
export type Place = {
  readonly position: bigint;
  /** Position of the namespace's event before this one; 0n for the first. */
  readonly previous: bigint;
  readonly shard: number;
  /** Position of the shard's event before this one; 0n for the first. */
  readonly shardPrevious: bigint;
};

/** A record as it came: its place is read, its content only when somebody wants its type. */
export type Entry = Place & {
  /** Its place in its partition. */
  readonly offset: bigint;
  readonly type: string;
  readonly bytes: number;
  /** The same event each time, read when it is first wanted; several consumers may share it. Throws when the value is no JSON. */
  readonly event: () => RecordedEvent;
};

/** Last positions relayed: of the namespace and of each shard. */
export type Chain = { last: bigint; readonly shards: Map<number, bigint> };

/**
 * The record of an event on the log topic. The key is the partner, so that a client that chooses partitions by key keeps a partner's events together too; the value is
 * `{"data":…,"metadata":…}`; all the rest is in headers, as text. Its time is that of publishing, which the topic's retention counts from: a log older than that, relayed for
 * the first time, must not be gone before it is read. Moves the chain on.
 */
export function encodeRecord(event: RecordedEvent, shards: number, chain: Chain): Message {
  const shard = shardOf(event.metadata.partner, shards);
  const headers: IHeaders = {
    position: String(event.position),
    previous: String(chain.last),
    shard: String(shard),
    shard_previous: String(chain.shards.get(shard) ?? 0n),
    id: event.id,
    stream: event.stream,
    revision: String(event.revision),
    type: event.type,
    version: String(event.version),
    recorded_at: String(event.recordedAt),
  };
  chain.last = event.position;
  chain.shards.set(shard, event.position);
  return {
    key: event.metadata.partner ?? event.stream,
    value: JSON.stringify({ data: event.data, metadata: event.metadata }),
    headers,
  };
}

/** The number that chooses a record's partition: its shard. */
export const placeOf = ({ headers }: Message): number => Number(headers!["shard"]);

/** Reads a record; undefined when it is none of ours. */
export function decodeRecord(message: KafkaMessage): Entry | undefined {
  const headers = message.headers ?? {};
  const position = toPosition(headers["position"]);
  const previous = toPosition(headers["previous"]);
  const shardPrevious = toPosition(headers["shard_previous"]);
  const { value } = message;
  if (position === undefined || previous === undefined || shardPrevious === undefined || !value)
    return undefined;
  const type = textOf(headers["type"]);
  let event: RecordedEvent | undefined;
  // What was received is let go with the first reading: the event takes its place in memory.
  let received: KafkaMessage | undefined = message;
  return {
    offset: BigInt(message.offset),
    position,
    previous,
    shard: Number(textOf(headers["shard"])),
    shardPrevious,
    type,
    bytes: value.length,
    event() {
      if (event !== undefined) return event;
      event = parse(received!, position, type);
      received = undefined;
      return event;
    },
  };
}

function parse({ value, headers = {} }: KafkaMessage, position: bigint, type: string) {
  return asRecorded({
    position,
    id: textOf(headers["id"]),
    stream: textOf(headers["stream"]),
    revision: Number(textOf(headers["revision"])),
    type,
    version: Number(textOf(headers["version"])),
    recordedAt: Number(textOf(headers["recorded_at"])),
    ...(JSON.parse(value!.toString()) as Pick<StoredEvent, "data" | "metadata">),
  });
}

type Header = IHeaders[string];

const textOf = (header: Header): string => (header === undefined ? "" : String(header));

function toPosition(header: Header): bigint | undefined {
  const text = textOf(header);
  return /^\d{1,19}$/.test(text) ? BigInt(text) : undefined;
}
