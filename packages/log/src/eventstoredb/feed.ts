import type streams from "@eventstore/db-client/generated/streams_pb.js";
import { makeBell } from "../bell.ts";
import { CheckpointAhead } from "../feed.ts";
import { DEFAULT_RING, Ring, type RingLimits } from "../ring.ts";
import { sharePages } from "../pages.ts";
import type { Batch, SubscribeOptions, Upcast } from "../types.ts";
import type { Calls } from "./calls.ts";
import { commitOf, decode, prefixOf, type Decoded } from "./codec.ts";
import { callTimeoutMs } from "./connection.ts";
import type { Positions } from "./positions.ts";
import type { Reader } from "./reader.ts";
import { subscribeRequest } from "./requests.ts";

/** The server tells after so many records of others that it has passed them. */
const checkpointRecords = 64;
const retryFirstMs = 50;
const retryLastMs = 5_000;
/** Records of others that come after the last own one are looked for this often while somebody waits, and soon after somebody asked where the log ends. */
const idleLookMs = 500;
const askedLookMs = 20;
/** A subscription that has not brought for so long what a read finds has gone quiet, whatever else its connection carries. */
const quietMs = callTimeoutMs;

type FeedOptions = {
  readonly ring?: RingLimits | undefined;
  readonly upcast?: Upcast | undefined;
  readonly onError: (error: unknown) => void;
};

/**
 * One subscription per log, shared by all its subscribers: events are decoded once and kept in a ring. A subscriber keeps nothing but its position; inside the ring it
 * searches, behind the ring it reads for itself. The client does not subscribe again when a stream ends: this does, from the last place it was given.
 */
export class Feed {
  readonly #calls: Calls;
  readonly #namespace: string;
  readonly #reader: Reader;
  readonly #positions: Positions;
  readonly #options: FeedOptions;
  readonly #pages: ReturnType<typeof sharePages>;
  readonly #closing = new AbortController();
  readonly #listeners = new Set<(decoded: Decoded) => void>();
  readonly #opened = makeBell();
  readonly #ring: Ring;
  /** Where the ring's tail is in the server's log. */
  #commit = 0n;
  #wanted = 0n;
  #live = false;
  #subscription = new AbortController();
  /** The place after which a read found an own event that had not come yet, and since when. */
  #owed: { readonly after: bigint; readonly since: number } | undefined;
  #subscribers = 0;
  #looking: Promise<void> | undefined;
  #running: Promise<void> | undefined;

  constructor(
    calls: Calls,
    namespace: string,
    reader: Reader,
    positions: Positions,
    options: FeedOptions,
  ) {
    this.#calls = calls;
    this.#namespace = namespace;
    this.#reader = reader;
    this.#positions = positions;
    this.#options = options;
    this.#ring = new Ring(options.ring ?? DEFAULT_RING);
    this.#pages = sharePages((wanted) => reader.readFeedPage(wanted, () => this.#ring.tail));
  }

  /** Hears each event once, as it comes from the server; ends with the returned function. */
  onEvent(listener: (decoded: Decoded) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Connects, if it is not; resolves when events come. */
  async ready(): Promise<void> {
    this.#ensure();
    while (!this.#live && !this.#isClosed)
      await Promise.race([this.#opened.wait(), this.#pause(100)]);
  }

  /** Whether the server sends what is appended. */
  get live(): boolean {
    return this.#live;
  }

  /** Whether the record at a place of the server's log has come, or something after it. */
  passed(commit: bigint): boolean {
    return this.#ring.tail >= 0n && commit <= this.#commit;
  }

  /** Somebody knows that the log ends here at least. */
  reachFor(position: bigint): void {
    if (position > this.#wanted) this.#wanted = position;
    if (this.#wanted > this.#ring.tail && this.#subscribers > 0) this.#lookSoon(askedLookMs);
  }

  /** Average distance of the positions of recent events; undefined while there are too few. */
  distance(): number | undefined {
    return this.#ring.distance();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#ring.arrived.ring();
    await this.#running;
    await this.#looking;
  }

  async *subscribe(request: SubscribeOptions): AsyncGenerator<Batch> {
    const { signal } = request;
    let position = request.after;
    let first = true;
    const wake = (): void => this.#ring.arrived.ring();
    signal.addEventListener("abort", wake, { once: true });
    this.#subscribers++;
    this.#ensure();
    this.#lookSoon(idleLookMs);
    const next = this.#batchesOf(request);
    try {
      while (!signal.aborted && !this.#isClosed) {
        const batch = await next(position, first);
        if (batch === undefined) continue;
        first = false;
        position = batch.position;
        if (batch.caughtUp) this.#pages.clear();
        yield batch;
      }
    } finally {
      signal.removeEventListener("abort", wake);
      this.#subscribers--;
    }
  }

  /** What comes after a position, from the ring or by a read; undefined after a wait, and when the end of it all has come. */
  #batchesOf({
    signal,
    types,
    maxEvents: max = 500,
  }: SubscribeOptions): (position: bigint, first: boolean) => Promise<Batch | undefined> {
    const ring = this.#ring;
    const wantedTypes = types === undefined ? undefined : new Set(types);
    const filter = types === undefined ? {} : { types };
    let retryMs = retryFirstMs;

    /** Behind the ring. */
    const read = async (position: bigint, first: boolean): Promise<Batch | undefined> => {
      try {
        if (first) await this.#assertNotAhead(position);
        const page = await this.#pages.readAll({ after: position, limit: max, ...filter });
        // The next page is read while this one is worked on; whoever wants it finds it among the shared ones.
        if (page.events.length === max && page.position < ring.start)
          this.#pages
            .readAll({ after: page.position, limit: max, ...filter })
            .catch(() => undefined);
        retryMs = retryFirstMs;
        return { ...page, caughtUp: page.position >= page.head };
      } catch (error) {
        if (error instanceof CheckpointAhead) throw error;
        this.#options.onError(error);
        await this.#pause(retryMs, signal);
        retryMs = Math.min(retryMs * 2, retryLastMs);
        return undefined;
      }
    };

    return async (position, first) => {
      const kept = ring.slice(position, max, wantedTypes);
      if (kept !== undefined) {
        if (first || position < ring.tail) return kept;
        await ring.arrived.wait();
        return undefined;
      }
      const batch = await read(position, first);
      if (batch === undefined || signal.aborted || this.#isClosed) return undefined;
      if (first || batch.events.length > 0 || batch.position !== position) return batch;
      // Read to its end while the ring is not there yet, or just behind it.
      await Promise.race([ring.arrived.wait(), this.#pause(askedLookMs, signal)]);
      return undefined;
    };
  }

  async #assertNotAhead(position: bigint): Promise<void> {
    const head = await this.#reader.head();
    if (position > head && position > this.#ring.tail) throw new CheckpointAhead(position, head);
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  #ensure(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    let retryMs = retryFirstMs;
    while (!this.#isClosed) {
      const startedAt = performance.now();
      try {
        if (this.#ring.tail < 0n) {
          this.#commit = await this.#reader.end(this.#closing.signal);
          if (this.#isClosed) return;
          this.#ring.reset(this.#commit === 0n ? 0n : this.#positions.ofCommit(this.#commit));
        }
        await this.#follow();
      } catch (error) {
        if (this.#isClosed) return;
        this.#options.onError(error);
      }
      if (performance.now() - startedAt > 10_000) retryMs = retryFirstMs;
      await this.#pause(retryMs * (0.5 + Math.random()));
      retryMs = Math.min(retryMs * 2, retryLastMs);
    }
  }

  /** One subscription, until it fails, has gone quiet or the log is closed. */
  async #follow(): Promise<void> {
    this.#subscription = new AbortController();
    this.#owed = undefined;
    const { signal } = this.#subscription;
    const filter = { streamPrefix: prefixOf(this.#namespace) };
    const request = subscribeRequest(this.#commit, filter, checkpointRecords);
    try {
      await this.#calls.read(request, (answer) => this.#hear(answer), {
        firstWithinMs: callTimeoutMs,
        signal: AbortSignal.any([this.#closing.signal, signal]),
      });
    } finally {
      this.#live = false;
    }
    if (this.#isClosed) return;
    throw new Error(
      signal.aborted
        ? `the subscription did not bring in ${quietMs} ms what a read found`
        : "the server ended the subscription",
    );
  }

  #hear(answer: streams.ReadResp): true {
    const record = answer.getEvent()?.getEvent();
    if (record !== undefined) {
      const { ofCommit } = this.#positions;
      const decoded = decode(record, this.#namespace, ofCommit, this.#options.upcast);
      this.#take(decoded, commitOf(record));
    } else if (answer.hasCheckpoint())
      this.#pass(BigInt(answer.getCheckpoint()!.getCommitPosition()));
    else if (answer.hasConfirmation()) {
      this.#live = true;
      this.#opened.ring();
    } else if (answer.hasCaughtUp()) this.#ring.arrived.ring();
    return true;
  }

  #take(decoded: Decoded, at: bigint): void {
    const { event, bytes } = decoded;
    if (at <= this.#commit && this.#ring.tail >= 0n) return;
    this.#commit = at;
    for (const listener of this.#listeners) listener(decoded);
    this.#ring.join([event], bytes, this.#ring.tail, event.position);
  }

  #pass(at: bigint): void {
    if (at <= this.#commit) return;
    this.#commit = at;
    this.#ring.join([], 0, this.#ring.tail, this.#positions.ofCommit(at));
    // Who waits for a place hears of it also where no position lies between.
    this.#ring.arrived.ring();
  }

  /** Ends early when the log is closed, or what waits is. */
  #pause(ms: number, ...signals: readonly AbortSignal[]): Promise<void> {
    return new Promise((resolve) => {
      const all = [this.#closing.signal, ...signals];
      const done = (): void => {
        clearTimeout(timer);
        for (const signal of all) signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      for (const signal of all) signal.addEventListener("abort", done, { once: true });
      if (all.some(({ aborted }) => aborted)) done();
    });
  }

  /** Moves past records of others that no checkpoint has told of: without it an idle namespace would never reach the end of a busy log. */
  async #look(): Promise<void> {
    const { signal } = this.#closing;
    const target = await this.#reader.end(signal);
    while (this.#commit < target && !signal.aborted) {
      let passed = this.#commit;
      let own: bigint | undefined;
      const more = await this.#reader.scan(
        this.#commit,
        (event, at) => {
          if (event !== undefined) own = at;
          else passed = at;
          return event === undefined && at < target;
        },
        // The one at the place itself is counted, too.
        { records: 2, signal },
      );
      if (this.#isClosed) return;
      if (own === undefined ? !more : own > target) passed = target;
      // An own event comes by the subscription: only up to the first that has not come yet.
      if (own !== undefined && own > this.#commit && passed <= this.#commit)
        return this.#expectOwn();
      if (passed <= this.#commit) return;
      this.#pass(passed);
    }
  }

  /** What comes after a place stands there for longer than a subscription that is well takes to bring it: it is opened again from there, which costs nothing if it was well. */
  #expectOwn(): void {
    const now = performance.now();
    const after = this.#commit;
    if (!this.#live || this.#owed?.after !== after)
      this.#owed = this.#live ? { after, since: now } : undefined;
    else if (now - this.#owed.since > quietMs) this.#subscription.abort();
  }

  #lookSoon(ms: number): void {
    this.#looking ??= this.#lookAfter(ms);
  }

  async #lookAfter(ms: number): Promise<void> {
    await this.#pause(ms);
    let nextMs = idleLookMs;
    try {
      if (!this.#isClosed && this.#ring.tail >= 0n) await this.#look();
      if (this.#wanted > this.#ring.tail) nextMs = askedLookMs;
    } catch (error) {
      this.#options.onError(error);
      nextMs = Math.min(ms * 2, retryLastMs);
    }
    this.#looking = undefined;
    if (!this.#isClosed && this.#subscribers > 0) this.#lookSoon(nextMs);
  }
}
