import shared from "@eventstore/db-client/generated/shared_pb.js";
import streams from "@eventstore/db-client/generated/streams_pb.js";
import type { Encoded } from "../check.ts";
import { upcastSafely } from "../upcast.ts";
import {
  asRecorded,
  parsePosition,
  type NewEvent,
  type RecordedEvent,
  type Upcast,
} from "../types.ts";

/** The key of a record's metadata that belongs to this driver; readers never see it. */
const ownKey = "heliograph";
const json = "application/json";
/** Type and content of a record stand among its metadata under these keys, its time in ticks of 100 ns. */
const typeKey = "type";
const contentTypeKey = "content-type";
const createdKey = "created";
const ticksPerMs = 10_000;
/** What a server that is too old says instead of a record's place. */
const noPosition = ["", "0", "18446744073709551615"];

type Own = {
  /** The event's schema version. */
  readonly version: number;
  /** Which attempt wrote it: tells an append from the repetition of an older one. */
  readonly by?: string;
  /** Position and time in the log that it was copied from. */
  readonly position?: string;
  readonly at?: number;
};

/** A record as the server sends it. */
export type Stored = streams.ReadResp.ReadEvent.RecordedEvent;
export type Proposed = streams.BatchAppendReq.ProposedMessage;

export const streamName = (namespace: string, stream: string): string => `${namespace}.${stream}`;
export const prefixOf = (namespace: string): string => `${namespace}.`;

/** The form in which an event is sent, from its JSON texts; `own` says what is stored with it beside what the caller gave. */
export function propose(
  event: Pick<NewEvent, "id" | "type" | "version">,
  texts: Encoded,
  own: Omit<Own, "version">,
): Proposed {
  const open = texts.metadata.slice(0, -1);
  const added = JSON.stringify({ version: event.version ?? 1, ...own });
  const metadata = `${open}${open.length > 1 ? "," : ""}"${ownKey}":${added}}`;
  const message = new streams.BatchAppendReq.ProposedMessage()
    .setId(new shared.UUID().setString(event.id))
    .setData(Buffer.from(texts.data))
    .setCustomMetadata(Buffer.from(metadata));
  message.getMetadataMap().set(typeKey, event.type).set(contentTypeKey, json);
  return message;
}

export type Decoded = {
  readonly event: RecordedEvent;
  readonly by: string | undefined;
  /** Of its content as it is stored. */
  readonly bytes: number;
};

/**
 * Reads a record. `position` is where it stands unless it was copied in, with its place, from another log. Content that is no JSON becomes version 0
 * with the reason in the metadata, so that consumers can set it aside and the rest goes on.
 */
export function decode(
  record: Stored,
  namespace: string,
  position: (commit: bigint) => bigint,
  upcast: Upcast | undefined,
): Decoded {
  const map = record.getMetadataMap();
  const [dataBytes, metadataBytes] = [record.getData_asU8(), record.getCustomMetadata_asU8()];
  const { [ownKey]: added, ...metadata } = objectFrom(metadataBytes) as Record<string, unknown>;
  const own = isOwn(added) ? added : undefined;
  const data =
    own !== undefined && map.get(contentTypeKey) === json ? valueFrom(dataBytes) : undefined;
  const readable = own !== undefined && data !== undefined;
  const event = asRecorded({
    position: own?.position === undefined ? position(commitOf(record)) : BigInt(own.position),
    id: record.getId()?.getString() ?? "",
    stream: streamOf(record).slice(namespace.length + 1),
    revision: Number(record.getStreamRevision()),
    type: map.get(typeKey) ?? "",
    version: readable ? own.version : 0,
    data: readable ? data : {},
    metadata: readable ? metadata : { ...metadata, unreadable: "not written by this driver" },
    recordedAt: own?.at ?? Math.floor(Number(map.get(createdKey) ?? 0) / ticksPerMs),
  });
  return {
    event: readable ? upcastSafely(event, upcast) : event,
    by: own?.by,
    bytes: dataBytes.length + metadataBytes.length,
  };
}

/** What others write under the same key may be anything: it must not stop the namespace. */
function isOwn(value: unknown): value is Own {
  if (typeof value !== "object" || value === null) return false;
  const { version, by, position, at } = value as Record<keyof Own, unknown>;
  return (
    Number.isSafeInteger(version) &&
    (by === undefined || typeof by === "string") &&
    (position === undefined ||
      (typeof position === "string" && parsePosition(position) !== undefined)) &&
    (at === undefined || Number.isSafeInteger(at))
  );
}

/** Where a record begins in the server's log. */
export function commitOf(record: Stored): bigint {
  const commit = record.getCommitPosition();
  if (noPosition.includes(commit))
    throw new Error("the server does not tell positions; 22.10 or newer is needed");
  return BigInt(commit);
}

/** With the namespace before it. */
export const streamOf = (record: Stored): string =>
  textFrom((record.getStreamIdentifier() ?? new shared.StreamIdentifier()).getStreamName_asU8());

export const typeOf = (record: Stored): string => record.getMetadataMap().get(typeKey) ?? "";

export const dataOf = (record: Stored): unknown => valueFrom(record.getData_asU8());

/** Looks at the bytes where they are: they are parsed and forgotten. */
const textFrom = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");

/** Undefined when it is no JSON. */
function valueFrom(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(textFrom(bytes));
  } catch {
    return undefined;
  }
}

function objectFrom(bytes: Uint8Array): object {
  const value = bytes.length === 0 ? undefined : valueFrom(bytes);
  return typeof value === "object" && value !== null ? value : {};
}
