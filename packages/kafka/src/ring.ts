import type { Entry } from "./record.ts";

/** The newest records of one partition, without a gap in what came: every record that was fetched from offset `start` on and is below `end`. */
export type Ring = {
  entries: Entry[];
  start: bigint;
  end: bigint;
  bytes: number;
  /** Nothing was added since this was last set. */
  quiet: boolean;
};

export const newRing = (at: bigint): Ring => ({
  entries: [],
  start: at,
  end: at,
  bytes: 0,
  quiet: false,
});

/** Adds records that follow those before; `next` is the offset after the last. */
export function append(ring: Ring, entries: readonly Entry[], next: bigint): void {
  for (const entry of entries) {
    ring.entries.push(entry);
    ring.bytes += entry.bytes;
  }
  ring.end = next;
  ring.quiet = false;
}

/** Drops the older half: one at a time would move all the others down for each. */
export function halve(ring: Ring): void {
  const dropped = ring.entries.splice(0, Math.ceil(ring.entries.length / 2));
  for (const { bytes } of dropped) ring.bytes -= bytes;
  ring.start = ring.entries[0]?.offset ?? ring.end;
}

export function empty(ring: Ring): void {
  ring.entries = [];
  ring.start = ring.end;
  ring.bytes = 0;
}

/** Whether a reader that wants the record at an offset next finds it and all that follow here, now or when they come. */
export const covers = (ring: Ring, offset: bigint): boolean =>
  ring.start <= offset && offset <= ring.end;

/** The records from an offset on. */
export function from(ring: Ring, offset: bigint): readonly Entry[] {
  const { entries } = ring;
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (entries[middle]!.offset < offset) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? [...entries] : entries.slice(low);
}
