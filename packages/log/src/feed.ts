import { makeBell, type Bell } from "./bell.ts";
import { sharePages, type Pages } from "./pages.ts";
import { DEFAULT_RING, Ring, type RingLimits } from "./ring.ts";
import type { EventType } from "@heliograph/contracts";
import type { Batch, Page, ReadAllOptions, RecordedEvent, SubscribeOptions } from "./types.ts";

/** A poll that found something of another process is followed by the next at once; one that did not waits twice as long as the last. */
const POLL_FIRST_MS = 5;
const POLL_LAST_MS = 500;
/** While notifications arrive, polling only makes up for a lost one: three logs idle in one process stay below 0.5 % CPU. */
const POLL_LISTENING_MS = 1_000;
const READ_EVENTS = 500;
const RETRY_FIRST_MS = 50;
const RETRY_LAST_MS = 2_000;

/** What the ring takes of events that were committed together, and the positions that they fill: after `from`, up to `to`. */
type Commit = {
  readonly events: readonly RecordedEvent[];
  readonly bytes: number;
  readonly from: bigint;
  readonly to: bigint;
};

export type FeedSource = {
  readAll(options: ReadAllOptions): Promise<Page & { readonly bytes?: number }>;
  head(): Promise<bigint>;
  /** True while other processes' commits are announced to this one. */
  listening?(): boolean;
};

/**
 * One feed per log instance: a ring of the newest events that all subscribers share, so that an event is read and
 * parsed once per process, or not at all when this process committed it.
 *
 * Own commits that join up with the ring are appended as they are. Anything else (another process's events, a gap before own
 * ones) is read by a single loop, which runs only while somebody subscribes. A subscriber keeps nothing but its position:
 * inside the ring it slices, behind the ring it reads for itself.
 *
 * The ring has only events of types that somebody in this process has subscribed to: those that it does not, such as the requests that an ingress of its own commits, are neither read
 * nor kept, and so garbage at once.
 */
export class Feed {
  readonly #source: FeedSource;
  readonly #limits: RingLimits;
  readonly #onError: (error: unknown) => void;
  readonly #ring: Ring;
  readonly #pages: Pages;
  readonly #wakes = new Set<() => void>();
  readonly #nudged = makeBell();
  /** Own commits that do not join up yet, because the events before them have not been read. */
  #early: Commit[] = [];
  /** What somebody has subscribed to, and so all that the ring has; undefined: everything. */
  #types: ReadonlySet<EventType> | undefined = new Set();
  /** The last position that this process committed. */
  #own = -1n;
  #subscribers = 0;
  #loop: Promise<void> | undefined;
  #nudgePending = false;
  #closing = false;

  constructor(
    source: FeedSource,
    options: { readonly ring?: RingLimits; readonly onError?: (error: unknown) => void } = {},
  ) {
    this.#source = source;
    this.#limits = options.ring ?? DEFAULT_RING;
    this.#onError = options.onError ?? (() => {});
    this.#ring = new Ring(this.#limits);
    this.#pages = sharePages(source.readAll);
  }

  /** Events that this process has just committed, in order, with no position between them that is another's. */
  offer(events: readonly RecordedEvent[], bytes: number): void {
    if (events.length === 0) return;
    // The head was locked while they were stored: nothing of others lies between them.
    const from = events[0]!.position - 1n;
    const to = (this.#own = events.at(-1)!.position);
    if (this.#ring.tail < 0n) return;
    const types = this.#types;
    const kept = types === undefined ? events : events.filter(({ type }) => types.has(type));
    const commit = { events: kept, bytes: (bytes * kept.length) / events.length, from, to };
    if (this.#early.length === 0 && this.#join(commit)) return;
    const waiting = this.#early.reduce((sum, part) => sum + Math.max(1, part.events.length), 0);
    if (waiting > this.#limits.maxEvents) this.#early = [];
    this.#early.push(commit);
    this.nudge();
  }

  /** True while an offer is of use: somebody subscribes. */
  readonly wanted = (): boolean => this.#subscribers > 0;

  /** Something may have been committed elsewhere: look now. */
  nudge(): void {
    this.#nudgePending = true;
    this.#nudged.ring();
  }

  readonly subscribe = (request: SubscribeOptions): AsyncIterable<Batch> =>
    this.#subscribe(request);

  async close(): Promise<void> {
    this.#closing = true;
    for (const wake of this.#wakes) wake();
    this.#nudged.ring();
    await this.#loop;
  }

  #reset(position: bigint): void {
    this.#early = [];
    this.#ring.reset(position);
  }

  /** From now on the ring has these too. It has none of those that were not wanted until now, and begins anew. */
  #want(types: readonly EventType[] | undefined): void {
    const before = this.#types;
    if (before === undefined || types?.every((type) => before.has(type))) return;
    this.#types = types === undefined ? undefined : new Set([...before, ...types]);
    if (this.#ring.tail >= 0n) this.#reset(this.#ring.tail);
  }

  #join({ events, bytes, from, to }: Commit): boolean {
    return this.#ring.join(events, bytes, from, to);
  }

  #joinEarly(): void {
    const early = this.#early;
    while (early.length > 0 && this.#join(early[0]!)) early.shift();
  }

  /** Reads up to the next own events that wait, or to the end. Gives whether there may be more. */
  async #catchUp(): Promise<boolean> {
    this.#joinEarly();
    const after = this.#ring.tail;
    const next = this.#early[0];
    const gap = next === undefined ? undefined : Number(next.from - after);
    const limit = gap === undefined ? READ_EVENTS : Math.min(gap, READ_EVENTS);
    const types = this.#types;
    const page = await this.#source.readAll({ after, limit, ...(types && { types: [...types] }) });
    // Somebody came for more meanwhile.
    if (types !== this.#types) return true;
    if (page.head - this.#ring.tail > BigInt(this.#limits.maxEvents)) {
      // Too far behind to fill the ring with it: subscribers read until they reach the new start.
      this.#reset(page.head);
      return false;
    }
    const { events, bytes = 0, position: to } = page;
    this.#join({ events, bytes, from: after, to });
    this.#joinEarly();
    return this.#ring.tail < page.head;
  }

  async #run(): Promise<void> {
    let pollMs = POLL_FIRST_MS;
    let retryMs = RETRY_FIRST_MS;
    while (this.#subscribers > 0 && !this.#closing) {
      let found = -1n;
      try {
        if (this.#ring.tail < 0n) this.#reset(await this.#source.head());
        const before = this.#ring.tail;
        this.#nudgePending = false;
        const more = await this.#catchUp();
        retryMs = RETRY_FIRST_MS;
        if (more) continue;
        if (this.#ring.tail > before) found = this.#ring.tail;
      } catch (error) {
        this.#onError(error);
        pollMs = retryMs;
        retryMs = Math.min(retryMs * 2, RETRY_LAST_MS);
      }
      if (!this.#nudgePending && this.#subscribers > 0 && !this.#closing)
        await waitAtMost(this.#nudged, pollMs);
      // A poll meets this process's own commits before they are offered. By now they were, and say nothing of others: while those write too, own commits leave gaps, which are read at once.
      const longestMs = this.#source.listening?.() === true ? POLL_LISTENING_MS : POLL_LAST_MS;
      pollMs = found > this.#own ? POLL_FIRST_MS : Math.min(pollMs * 2, longestMs);
    }
    // Without subscribers nobody keeps the tail up to date: the next one starts afresh.
    this.#reset(-1n);
  }

  #ensureLoop(): void {
    this.#loop ??= this.#run().finally(() => {
      this.#loop = undefined;
      if (this.#subscribers > 0 && !this.#closing) this.#ensureLoop();
    });
  }

  async *#subscribe(request: SubscribeOptions): AsyncGenerator<Batch> {
    const { signal, types } = request;
    const maxEvents = request.maxEvents ?? 500;
    const wanted = types === undefined ? undefined : new Set(types);
    const filter = types === undefined ? {} : { types };
    const ring = this.#ring;
    let position = request.after;
    let first = true;
    let caughtUp = false;
    let retryMs = RETRY_FIRST_MS;
    const retry = makeBell();
    const wake = () => {
      ring.arrived.ring();
      retry.ring();
    };
    // Heard, not asked for at each turn: a signal that was made of others asks all of them, 73 times a message when it was asked here.
    let left = signal.aborted;
    const leave = () => {
      left = true;
      wake();
    };
    const over = () => left || this.#closing;
    signal.addEventListener("abort", leave, { once: true });
    this.#wakes.add(wake);
    this.#want(types);
    this.#subscribers++;
    this.#ensureLoop();
    try {
      while (!over()) {
        if (!first && position >= ring.tail && (caughtUp || ring.tail >= 0n)) {
          await ring.arrived.wait();
          continue;
        }
        let batch = ring.slice(position, maxEvents, wanted);
        if (batch === undefined) {
          try {
            batch = await this.#read({ after: position, limit: maxEvents, ...filter });
            retryMs = RETRY_FIRST_MS;
          } catch (error) {
            if (error instanceof CheckpointAhead) throw error;
            this.#onError(error);
            await waitAtMost(retry, retryMs);
            retryMs = Math.min(retryMs * 2, RETRY_LAST_MS);
            continue;
          }
          if (over()) return;
        }
        first = false;
        position = batch.position;
        caughtUp = batch.caughtUp;
        if (caughtUp) this.#pages.clear();
        yield batch;
      }
    } finally {
      signal.removeEventListener("abort", leave);
      this.#wakes.delete(wake);
      this.#subscribers--;
      if (this.#subscribers === 0) this.#nudged.ring();
    }
  }

  /** What a subscriber reads for itself, behind the ring. */
  async #read(request: ReadAllOptions): Promise<Batch> {
    const { after } = request;
    const page = await this.#pages.readAll(request);
    if (page.head < after) throw new CheckpointAhead(after, page.head);
    if (page.head > this.#ring.tail) this.nudge();
    return { ...page, caughtUp: page.position >= page.head };
  }
}

/** A checkpoint beyond the end of the log: it belongs to another log, or the log was restored from an older copy. */
export class CheckpointAhead extends Error {
  override readonly name = "CheckpointAhead";
  constructor(position: bigint, head: bigint) {
    super(`position ${position} lies beyond the end of the log, ${head}`);
  }
}

/** Waits for a bell that nobody else waits for, `ms` at most, and leaves no timer behind. */
async function waitAtMost(bell: Bell, ms: number): Promise<void> {
  const timer = setTimeout(bell.ring, ms);
  await bell.wait();
  clearTimeout(timer);
}
