import { unreadable, upcastSafely } from "../upcast.ts";
import { asRecorded, type RecordedEvent, type Upcast } from "../types.ts";

/** The order that `toEvent` reads; every statement that gives events selects exactly this. */
export const EVENT_COLUMNS =
  "e.position, e.id, e.stream, e.revision, e.type, e.version, e.recorded_at, e.data, e.metadata";

/**
 * What an event counts at least where pages are bounded by bytes: one whose body is archived has none in the table, and a page of nothing but such has a bound all the same.
 */
export const LEAST_BYTES = 256;
const LEAST = `greatest(octet_length(data) + octet_length(metadata), ${LEAST_BYTES})`;

/** Rows with the running sum of their sizes, which PostgreSQL knows without unpacking them. Without an order of its own the window takes the rows as they come, so that nothing is sorted. */
export const summed = (rows: string): string =>
  `(select *, sum(${LEAST}) over (rows unbounded preceding) as through, ${LEAST} as own from (${rows}) r)`;

/** What of summed rows `e` comes to some bytes, with the event that crosses them. */
export const untilFull = (bytes: string | number): string => `e.through - e.own < ${bytes}`;

/** The same of a body in hand. */
export const bodyBytes = (data: string, metadata: string): number =>
  Math.max(Buffer.byteLength(data) + Buffer.byteLength(metadata), LEAST_BYTES);

/**
 * Events in order of position, up to one and with the hash of the chain, as the running sum of their sizes allows: `$3` events, `pageBytes` bytes. The first column is that sum, the second the hash.
 */
export const chainedPage = (pageBytes: number, which = "true"): string =>
  `select e.through, encode(e.chain, 'hex'), ${EVENT_COLUMNS}
    from ${summed(`select * from log.events where position > $1 and position <= $2 and ${which} order by position limit $3`)} e where ${untilFull(pageBytes)}`;

/** A row in array mode, all text. */
export type EventRow = readonly [
  position: string,
  id: string,
  stream: string,
  revision: string,
  type: string,
  version: string,
  recordedAt: string,
  data: string,
  metadata: string,
];

/** Types are few, and texts that come of an answer are each another string: where they are one, whoever tells events apart compares them at once, and not letter by letter. */
const MOST_TYPES = 1_000;
const types = new Map<string, string>();
function sameType(type: string): string {
  const known = types.get(type);
  if (known !== undefined) return known;
  if (types.size < MOST_TYPES) types.set(type, type);
  return type;
}

/**
 * Turns a row into an event; its columns begin at `from`. A row that cannot be read (damaged JSON, an upcast that throws) must not stop everyone
 * else's reading, so it comes out with version 0, null data and the reason in `metadata.unreadable`: whoever handles
 * that type fails on it and quarantines it.
 */
export function toEvent(
  row: readonly string[],
  upcast: Upcast | undefined,
  from = 0,
): RecordedEvent {
  const event = {
    position: BigInt(row[from]!),
    id: row[from + 1]!,
    stream: row[from + 2]!,
    revision: Number(row[from + 3]),
    type: sameType(row[from + 4]!),
    version: Number(row[from + 5]),
    recordedAt: Number(row[from + 6]),
  };
  const [data, metadata] = [row[from + 7]!, row[from + 8]!];
  // An archived event that was not found as it was written: in the place of its body is why.
  if (data === "") return unreadable(event, metadata);
  try {
    // A copy, and not one literal: where most of what a literal makes survives, V8 makes it in its old generation, and pages of 2,000 events took twice as long to read.
    const whole = { ...event, data: JSON.parse(data), metadata: JSON.parse(metadata) };
    return upcastSafely(asRecorded(whole), upcast);
  } catch (error) {
    return unreadable(event, error);
  }
}

/** What an event costs the ring: its texts, and about 300 bytes for the objects around them. */
export function rowBytes(row: readonly string[], from = 0): number {
  return row[from + 7]!.length + row[from + 8]!.length + 300;
}

/** Whether an answer ended because of its size: the column has the sum up to each row. */
export const isCut = (
  rows: readonly (readonly string[])[],
  column: number,
  pageBytes: number,
): boolean => Number(rows.at(-1)?.[column] ?? 0) >= pageBytes;
