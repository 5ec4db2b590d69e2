import type { Entry } from "./record.ts";

/** A queue of records of one partition that wait to be handed over, with the places where their offsets may be committed. */
export type Lane = {
  readonly partition: number;
  readonly entries: (Entry | undefined)[];
  /** Index of the first entry that waits; those before it are taken. */
  from: number;
  bytes: number;
  paused: boolean;
  /** The next offset to fetch, as far as known. */
  next: bigint;
  /** Up to this position nothing comes any more, although nothing waits: it was read to its end. */
  passed: bigint;
  /** Ends of fetched batches: once everything up to `position` is stored, `offset` may be committed. */
  readonly marks: { readonly position: bigint; readonly offset: bigint }[];
};

export const newLane = (partition: number): Lane => ({
  partition,
  entries: [],
  from: 0,
  bytes: 0,
  paused: false,
  next: -1n,
  passed: 0n,
  marks: [],
});

/** Bounds of what waits per partition: enough for some batches, little enough for many partitions. */
const mostWaiting = 1_000;
const mostBytes = 4 * 1_048_576;

export const isFull = (lane: Lane): boolean =>
  lane.entries.length - lane.from > mostWaiting || lane.bytes > mostBytes;
export const hasRoom = (lane: Lane): boolean =>
  lane.entries.length - lane.from < mostWaiting / 2 && lane.bytes < mostBytes / 2;

export const first = (lane: Lane): Entry | undefined => lane.entries[lane.from];

export function take(lane: Lane): void {
  lane.bytes -= lane.entries[lane.from]!.bytes;
  // What is taken must not be kept by the queue: an event may be a megabyte.
  lane.entries[lane.from] = undefined;
  lane.from++;
  // Moving the rest down for each record would cost more than the record.
  if (lane.from < 1_024) return;
  lane.entries.splice(0, lane.from);
  lane.from = 0;
}

/** What to do next for a reader that stands at a position. */
export type Step =
  /** The event that follows. */
  | { readonly kind: "next"; readonly entry: Entry; readonly lane: Lane }
  /** What waits begins later: events up to and including `until` have not come. */
  | { readonly kind: "hole"; readonly until: bigint }
  | { readonly kind: "empty" };

/**
 * The total order over all partitions: the record whose predecessor is where the reader stands. Records that the reader has passed are dropped. A hole is only
 * what it looks like now: the missing ones may be on their way in another partition.
 */
export function nextOf(lanes: Iterable<Lane>, position: bigint): Step {
  let until: bigint | undefined;
  for (const lane of lanes) {
    let entry = first(lane);
    while (entry !== undefined && entry.position <= position) {
      take(lane);
      entry = first(lane);
    }
    if (entry === undefined) continue;
    if (entry.previous <= position) return { kind: "next", entry, lane };
    if (until === undefined || entry.previous < until) until = entry.previous;
  }
  return until === undefined ? { kind: "empty" } : { kind: "hole", until };
}

/** The same for one shard, whose records come in one partition: what is missing there does not come any more. */
export function nextOfShard(lane: Lane, position: bigint): Step {
  let entry = first(lane);
  while (entry !== undefined && entry.position <= position) {
    take(lane);
    entry = first(lane);
  }
  if (entry === undefined) return { kind: "empty" };
  if (entry.shardPrevious <= position) return { kind: "next", entry, lane };
  return { kind: "hole", until: entry.shardPrevious };
}
