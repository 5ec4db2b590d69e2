import type { AuditFilter } from "../tables/audit.ts";
import type { Entry, Part, Source } from "./entry.ts";

/** How far each source was read: its keys beyond which a page goes on. */
export type Bounds = Readonly<Record<string, string>>;
export type Direction = "older" | "newer";
export type EntryPage = {
  /** Newest first. */
  readonly entries: readonly Entry[];
  /** Undefined where there is nothing more on that side. */
  readonly older: Bounds | undefined;
  readonly newer: Bounds | undefined;
};

type Queue = {
  readonly source: string;
  readonly part: Part;
  readonly bound: string | undefined;
  taken: number;
};

/**
 * A page of entries of several sources. Within a source order is by key, and the cursor holds the key of each, so entries of one moment are neither lost nor shown twice; between sources it is by
 * time. Where a source was searched for long and has not enough, the page ends at the time it came to, and may be short or empty with more behind it.
 */
export async function pageOfEntries(
  sources: readonly Source[],
  filter: AuditFilter,
  { limit, bounds, direction }: { limit: number; bounds: Bounds | undefined; direction: Direction },
): Promise<EntryPage> {
  const newer = direction === "newer";
  const queues = await Promise.all(
    sources.map(async (source): Promise<Queue> => {
      const bound = bounds?.[source.name];
      const range = { limit: limit + 1, newer, ...(bound !== undefined && { beyond: bound }) };
      return { source: source.name, part: await source.read(filter, range), bound, taken: 0 };
    }),
  );
  const taken = take(queues, limit, newer);
  const more = queues.some(({ part, taken: count }) => part.reached || count < part.entries.length);
  const on = more ? boundsOf(queues, newer ? onToNewer : onToOlder) : undefined;
  const back =
    bounds === undefined ? undefined : boundsOf(queues, newer ? backToOlder : backToNewer);
  return newer
    ? { entries: taken.toReversed(), older: back, newer: on }
    : { entries: taken, older: on, newer: back };
}

/** The next entries of all, in order of time, as far as every source was read. */
function take(queues: readonly Queue[], limit: number, newer: boolean): readonly Entry[] {
  const isBefore = (left: string, right: string): boolean => (newer ? left < right : left > right);
  const ends = queues.flatMap(({ part }) => part.reached?.at ?? []);
  const taken: Entry[] = [];
  while (taken.length < limit) {
    let best: Queue | undefined;
    for (const queue of queues) {
      const entry = queue.part.entries[queue.taken];
      if (entry === undefined || ends.some((end) => isBefore(end, entry.at))) continue;
      if (best === undefined || isBefore(entry.at, best.part.entries[best.taken]!.at)) best = queue;
    }
    if (best === undefined) break;
    taken.push(best.part.entries[best.taken++]!);
  }
  return taken;
}

function boundsOf(queues: readonly Queue[], boundOf: (queue: Queue) => string | undefined): Bounds {
  return Object.fromEntries(
    queues.flatMap((queue) => {
      const bound = boundOf(queue);
      return bound === undefined ? [] : [[queue.source, bound]];
    }),
  );
}

/** Of a source that gave nothing to the page: what comes later is on the other side, whatever it is. */
const onwards =
  (step: bigint, nothing: string | undefined) =>
  ({ part: { entries, reached }, taken, bound }: Queue): string | undefined => {
    if (taken === entries.length && reached !== undefined) return reached.key;
    if (taken > 0) return entries[taken - 1]!.key;
    return entries.length > 0 ? String(BigInt(entries[0]!.key) + step) : (bound ?? nothing);
  };
const onToOlder = onwards(1n, "0");
const onToNewer = onwards(-1n, undefined);

/** From the other side the page's own first entry is not seen again, but what lies between it and the bound is. */
const back =
  (step: bigint) =>
  ({ part: { entries, reached }, bound }: Queue): string | undefined =>
    entries[0]?.key ?? (bound === undefined ? reached?.key : String(BigInt(bound) + step));
const backToNewer = back(-1n);
const backToOlder = back(1n);
