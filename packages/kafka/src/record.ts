import { shardOf } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
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
  readonly type: string;
  readonly bytes: number;
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

/** Reads a record; undefined when it is none of ours. The content is parsed when `event` is first called. */
export function decodeRecord(message: KafkaMessage): Entry | undefined {
  const headers = message.headers ?? {};
  const text = (name: string): string => String(headers[name] ?? "");
  const position = toPosition(text("position"));
  const previous = toPosition(text("previous"));
  const shardPrevious = toPosition(text("shard_previous"));
  const value = message.value;
  if (position === undefined || previous === undefined || shardPrevious === undefined || !value)
    return undefined;
  let event: RecordedEvent | undefined;
  return {
    position,
    previous,
    shard: Number(text("shard")),
    shardPrevious,
    type: text("type"),
    bytes: value.length,
    event: () =>
      (event ??= {
        position,
        id: text("id"),
        stream: text("stream"),
        revision: Number(text("revision")),
        type: text("type"),
        version: Number(text("version")),
        recordedAt: Number(text("recorded_at")),
        ...(JSON.parse(value.toString()) as Pick<RecordedEvent, "data" | "metadata">),
      }),
  };
}

const toPosition = (text: string): bigint | undefined =>
  /^\d{1,19}$/.test(text) ? BigInt(text) : undefined;
