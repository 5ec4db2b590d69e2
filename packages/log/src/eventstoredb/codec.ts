import type { JSONEventType, EventData, RecordedEvent as Resolved } from "@eventstore/db-client";
import { upcastSafely } from "../upcast.ts";
import type { NewEvent, RecordedEvent, Upcast } from "../types.ts";

/** The key of a record's metadata that belongs to this driver; readers never see it. */
const ownKey = "heliograph";

type Own = {
  /** The event's schema version. */
  readonly version: number;
  /** Which attempt wrote it: tells an append from the repetition of an older one. */
  readonly by?: string;
  /** Position and time in the log that it was copied from. */
  readonly position?: string;
  readonly at?: number;
};

export const streamName = (namespace: string, stream: string): string => `${namespace}.${stream}`;
export const prefixOf = (namespace: string): string => `${namespace}.`;

/** The form in which an event is sent; `own` says what is stored with it beside what the caller gave. */
export function encode(event: NewEvent, own: Omit<Own, "version">): EventData {
  return {
    id: event.id,
    type: event.type,
    contentType: "application/json",
    data: event.data as JSONEventType["data"],
    metadata: { ...event.metadata, [ownKey]: { version: event.version ?? 1, ...own } },
  };
}

export type Decoded = { readonly event: RecordedEvent; readonly by: string | undefined };

/**
 * Reads a record. `position` is where it stands unless it was copied in, with its place, from another log. Content that is no JSON becomes version 0
 * with the reason in the metadata, so that consumers can set it aside and the rest goes on.
 */
export function decode(
  record: Resolved,
  namespace: string,
  position: (commit: bigint) => bigint,
  upcast: Upcast | undefined,
): Decoded {
  const { [ownKey]: own, ...metadata } = (record.metadata ?? {}) as Record<string, unknown> & {
    readonly heliograph?: Own;
  };
  const readable = record.isJson && own !== undefined;
  const event: RecordedEvent = {
    position: own?.position === undefined ? position(commitOf(record)) : BigInt(own.position),
    id: record.id,
    stream: record.streamId.slice(namespace.length + 1),
    revision: Number(record.revision),
    type: record.type,
    version: readable ? own.version : 0,
    data: readable ? record.data : {},
    metadata: readable ? metadata : { ...metadata, unreadable: "not written by this driver" },
    recordedAt: own?.at ?? record.created.getTime(),
  };
  return { event: readable ? upcastSafely(event, upcast) : event, by: own?.by };
}

/** Where a record begins in the server's log. Only records that were read from the log of everything, or by a recent server, say so. */
export function commitOf(record: Resolved): bigint {
  const commit = record.position?.commit;
  if (commit === undefined)
    throw new Error("the server does not tell positions; 22.10 or newer is needed");
  return commit;
}
