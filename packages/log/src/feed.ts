import { makeBell } from "./bell.ts";
import type { Bell } from "./bell.ts";
import { sharePages } from "./pages.ts";
import type {
  Batch,
  Page,
  Position,
  ReadAllOptions,
  RecordedEvent,
  SubscribeOptions,
} from "./types.ts";

export type RingLimits = { readonly maxEvents: number; readonly maxBytes: number };

/** Enough that a consumer may fall a second behind at full load and still never read; bounded in memory either way. */
export const DEFAULT_RING: RingLimits = { maxEvents: 20_000, maxBytes: 64 * 1_048_576 };

/** A poll that found something is followed by the next at once; one that did not waits twice as long as the last. */
const POLL_FIRST_MS = 5;
const POLL_LAST_MS = 500;
/** While notifications arrive, polling only makes up for a lost one: three logs idle in one process stay below 0.5 % CPU. */
const POLL_LISTENING_MS = 1_000;
const READ_EVENTS = 500;
const RETRY_FIRST_MS = 50;
const RETRY_LAST_MS = 2_000;

export type FeedSource = {
  readAll(options: ReadAllOptions): Promise<Page & { readonly bytes?: number }>;
  head(): Promise<bigint>;
  /** True while other processes' commits are announced to this one. */
  listening?(): boolean;
};

export type Feed = {
  /** Events that this process has just committed, in order, with no position between them that is another's. */
  offer(events: readonly RecordedEvent[], bytes: number): void;
  /** True while an offer is of use: somebody subscribes. */
  wanted(): boolean;
  /** Something may have been committed elsewhere: look now. */
  nudge(): void;
  subscribe(options: SubscribeOptions): AsyncIterable<Batch>;
  close(): Promise<void>;
};

/**
 * One feed per log instance: a ring of the newest events that all subscribers share, so that an event is read and
 * parsed once per process, or not at all when this process committed it.
 *
 * `tail` is the last position in the ring. Own commits that join up with it are appended as they are. Anything else
 * (another process's events, a gap before own ones) is read by a single loop, which runs only while somebody
 * subscribes. A subscriber keeps nothing but its position: inside the ring it slices, behind the ring it reads for
 * itself. Positions may have holes (a log that was copied from elsewhere): what joins up is told by the range of
 * positions that a list covers completely, never by counting.
 */
export function makeFeed(
  source: FeedSource,
  options: { readonly ring?: RingLimits; readonly onError?: (error: unknown) => void } = {},
): Feed {
  const limits = options.ring ?? DEFAULT_RING;
  const onError = options.onError ?? (() => {});
  let closing = false;
  const wakes = new Set<() => void>();
  const pages = sharePages(source.readAll);
  const arrived = makeBell();
  const nudged = makeBell();

  /** From index `dropped` on: every event after `start` up to `tail`. Sizes are parallel to it. */
  let ring: RecordedEvent[] = [];
  let sizes: number[] = [];
  let dropped = 0;
  let start = 0n;
  /** -1n: not known yet. */
  let tail = -1n;
  let bytes = 0;
  /** Own commits that do not join up yet, because the events before them have not been read. */
  let early: { readonly events: readonly RecordedEvent[]; readonly bytes: number }[] = [];
  let subscribers = 0;
  let loop: Promise<void> | undefined;
  let nudgePending = false;

  function reset(position: bigint): void {
    ring = [];
    sizes = [];
    dropped = 0;
    early = [];
    start = position;
    tail = position;
    bytes = 0;
    arrived.ring();
  }

  /** Takes of a list that is complete after `from` and up to `to` what lies beyond the tail; false when a hole would be left. */
  function join(list: readonly RecordedEvent[], size: number, from: bigint, to: bigint): boolean {
    if (to <= tail) return true;
    if (from > tail) return false;
    const each = list.length === 0 ? 0 : size / list.length;
    for (let index = firstAfter(list, tail, 0); index < list.length; index++) {
      ring.push(list[index]!);
      sizes.push(each);
      bytes += each;
    }
    tail = to;
    dropOldest();
    arrived.ring();
    return true;
  }

  /** Own commits are complete from their first position to their last: the head was locked while they were stored. */
  function joinOwn(list: readonly RecordedEvent[], size: number): boolean {
    return join(list, size, list[0]!.position - 1n, list.at(-1)!.position);
  }

  function dropOldest(): void {
    while (
      ring.length - dropped > limits.maxEvents ||
      (bytes > limits.maxBytes && ring.length > dropped)
    ) {
      bytes -= sizes[dropped]!;
      start = ring[dropped]!.position;
      dropped++;
    }
    // Moving the rest down each time would cost more than the events themselves.
    if (dropped < 4_096) return;
    ring.splice(0, dropped);
    sizes.splice(0, dropped);
    dropped = 0;
  }

  function joinEarly(): void {
    while (early.length > 0 && joinOwn(early[0]!.events, early[0]!.bytes)) early.shift();
  }

  /** Reads up to the next own events that wait, or to the end. Gives whether there may be more. */
  async function catchUp(): Promise<boolean> {
    joinEarly();
    const gap =
      early[0] === undefined ? undefined : Number(early[0].events[0]!.position - tail - 1n);
    const limit = gap === undefined ? READ_EVENTS : Math.min(gap, READ_EVENTS);
    const after = tail;
    const page = await source.readAll({ after, limit });
    if (page.head - tail > BigInt(limits.maxEvents)) {
      // Too far behind to fill the ring with it: subscribers read until they reach the new start.
      reset(page.head);
      return false;
    }
    join(page.events, page.bytes ?? 0, after, page.position);
    joinEarly();
    return tail < page.head;
  }

  async function run(): Promise<void> {
    let pollMs = POLL_FIRST_MS;
    let retryMs = RETRY_FIRST_MS;
    while (subscribers > 0 && !closing) {
      try {
        if (tail < 0n) reset(await source.head());
        const before = tail;
        nudgePending = false;
        const more = await catchUp();
        retryMs = RETRY_FIRST_MS;
        if (more) continue;
        const longestMs = source.listening?.() === true ? POLL_LISTENING_MS : POLL_LAST_MS;
        pollMs = tail > before ? POLL_FIRST_MS : Math.min(pollMs * 2, longestMs);
      } catch (error) {
        onError(error);
        pollMs = retryMs;
        retryMs = Math.min(retryMs * 2, RETRY_LAST_MS);
      }
      if (!nudgePending && subscribers > 0 && !closing) await waitAtMost(nudged, pollMs);
    }
    // Without subscribers nobody keeps the tail up to date: the next one starts afresh.
    reset(-1n);
  }

  function ensureLoop(): void {
    loop ??= run().finally(() => {
      loop = undefined;
      if (subscribers > 0 && !closing) ensureLoop();
    });
  }

  /** What the ring has after `position`; undefined when it no longer reaches back so far. */
  function slice(
    position: bigint,
    max: number,
    types: ReadonlySet<string> | undefined,
  ): Batch | undefined {
    if (tail < 0n || position < start) return undefined;
    const from = firstAfter(ring, position, dropped);
    const found: RecordedEvent[] = [];
    let index = from;
    while (index < ring.length && found.length < max) {
      const event = ring[index++]!;
      if (types === undefined || types.has(event.type)) found.push(event);
    }
    const reached =
      index === ring.length ? tail : index > from ? ring[index - 1]!.position : position;
    return { events: found, position: reached, head: tail, caughtUp: reached >= tail };
  }

  async function* subscribe(request: SubscribeOptions): AsyncGenerator<Batch> {
    const { signal, types } = request;
    const maxEvents = request.maxEvents ?? 500;
    const wanted = types === undefined ? undefined : new Set(types);
    const filter = types === undefined ? {} : { types };
    let position = request.after;
    let first = true;
    let caughtUp = false;
    let retryMs = RETRY_FIRST_MS;
    const retry = makeBell();
    const wake = () => {
      arrived.ring();
      retry.ring();
    };
    const over = () => signal.aborted || closing;
    signal.addEventListener("abort", wake, { once: true });
    wakes.add(wake);
    subscribers++;
    ensureLoop();
    try {
      while (!over()) {
        if (!first && position >= tail && (caughtUp || tail >= 0n)) {
          await arrived.wait();
          continue;
        }
        let batch = position <= tail ? slice(position, maxEvents, wanted) : undefined;
        if (batch === undefined) {
          try {
            const page = await pages.readAll({ after: position, limit: maxEvents, ...filter });
            if (page.head < position) throw new CheckpointAhead(position, page.head);
            if (page.head > tail) nudge();
            batch = { ...page, caughtUp: page.position >= page.head };
            retryMs = RETRY_FIRST_MS;
          } catch (error) {
            if (error instanceof CheckpointAhead) throw error;
            onError(error);
            await waitAtMost(retry, retryMs);
            retryMs = Math.min(retryMs * 2, RETRY_LAST_MS);
            continue;
          }
          if (over()) return;
        }
        first = false;
        position = batch.position;
        caughtUp = batch.caughtUp;
        if (caughtUp) pages.clear();
        yield batch;
      }
    } finally {
      signal.removeEventListener("abort", wake);
      wakes.delete(wake);
      subscribers--;
      if (subscribers === 0) nudged.ring();
    }
  }

  function nudge(): void {
    nudgePending = true;
    nudged.ring();
  }

  return {
    offer(list, size) {
      if (tail < 0n || list.length === 0) return;
      if (early.length === 0 && joinOwn(list, size)) return;
      if (early.reduce((sum, part) => sum + part.events.length, 0) > limits.maxEvents) early = [];
      early.push({ events: list, bytes: size });
      nudge();
    },
    wanted: () => subscribers > 0,
    nudge,
    subscribe,
    async close() {
      closing = true;
      for (const wake of wakes) wake();
      nudged.ring();
      await loop;
    },
  };
}

/** A checkpoint beyond the end of the log: it belongs to another log, or the log was restored from an older copy. */
export class CheckpointAhead extends Error {
  override readonly name = "CheckpointAhead";
  constructor(position: bigint, head: bigint) {
    super(`position ${position} lies beyond the end of the log, ${head}`);
  }
}

/** The index of the first event after a position, from `low` on; the list's length when there is none. */
function firstAfter(list: readonly RecordedEvent[], position: Position, low: number): number {
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]!.position <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Waits for a bell that nobody else waits for, `ms` at most, and leaves no timer behind. */
async function waitAtMost(bell: Bell, ms: number): Promise<void> {
  const timer = setTimeout(bell.ring, ms);
  await bell.wait();
  clearTimeout(timer);
}
