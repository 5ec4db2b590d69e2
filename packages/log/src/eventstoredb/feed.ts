import type streams from "@eventstore/db-client/generated/streams_pb.js";
import { makeBell } from "../bell.ts";
import { CheckpointAhead } from "../feed.ts";
import { DEFAULT_RING, type RingLimits } from "../ring.ts";
import { sharePages } from "../pages.ts";
import type { Batch, RecordedEvent, SubscribeOptions, Upcast } from "../types.ts";
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

export type Feed = {
  subscribe(request: SubscribeOptions): AsyncIterable<Batch>;
  /** Hears each event once, as it comes from the server; ends with the returned function. */
  onEvent(listener: (decoded: Decoded) => void): () => void;
  /** Connects, if it is not; resolves when events come. */
  ready(): Promise<void>;
  /** Whether the server sends what is appended. */
  live(): boolean;
  /** Whether the record at a place of the server's log has come, or something after it. */
  passed(commit: bigint): boolean;
  /** Somebody knows that the log ends here at least. */
  reachFor(position: bigint): void;
  /** Average distance of the positions of recent events; undefined while there are too few. */
  distance(): number | undefined;
  close(): Promise<void>;
};

/**
 * One subscription per log, shared by all its subscribers: events are decoded once and kept in a ring. A subscriber keeps nothing but its position; inside the ring it
 * searches, behind the ring it reads for itself. The client does not subscribe again when a stream ends: this does, from the last place it was given.
 */
export function makeFeed(
  calls: Calls,
  namespace: string,
  reader: Reader,
  positions: Positions,
  options: {
    readonly ring?: RingLimits | undefined;
    readonly upcast?: Upcast | undefined;
    readonly onError: (error: unknown) => void;
  },
): Feed {
  const limits = options.ring ?? DEFAULT_RING;
  const { onError } = options;
  const closing = new AbortController();
  const arrived = makeBell();
  const listeners = new Set<(decoded: Decoded) => void>();
  const pages = sharePages((wanted) => reader.readFeedPage(wanted, () => tail));
  const ring: RecordedEvent[] = [];
  /** Parallel to the ring: bytes of each event's content. */
  const sizes: number[] = [];
  let bytes = 0;
  /** Everything of the namespace after `start` and up to `tail` is in the ring. */
  let start = -1n;
  let tail = -1n;
  /** The same place in the server's log. */
  let commit = 0n;
  let wanted = 0n;
  let live = false;
  let subscription = new AbortController();
  /** The place after which a read found an own event that had not come yet, and since when. */
  let owed: { readonly after: bigint; readonly since: number } | undefined;
  let subscribers = 0;
  let looking: Promise<void> | undefined;
  let running: Promise<void> | undefined;
  const opened = makeBell();

  function take(decoded: Decoded, at: bigint): void {
    const { event } = decoded;
    if (at <= commit && tail >= 0n) return;
    commit = at;
    for (const listener of listeners) listener(decoded);
    if (event.position <= tail) return;
    ring.push(event);
    sizes.push(decoded.bytes);
    bytes += decoded.bytes;
    tail = event.position;
    if (ring.length > limits.maxEvents || bytes > limits.maxBytes) dropOldest();
    arrived.ring();
  }

  /** A fifth at once, or more when the events are large: moving the rest down for each event would cost more than the event. */
  function dropOldest(): void {
    let count = Math.ceil(ring.length / 5);
    let left = bytes;
    for (let index = 0; index < ring.length; index++) {
      if (index >= count && left <= limits.maxBytes) break;
      left -= sizes[index]!;
      count = Math.max(count, index + 1);
    }
    const dropped = ring.splice(0, count);
    sizes.splice(0, count);
    bytes = left;
    start = dropped.at(-1)!.position;
  }

  function pass(at: bigint): void {
    if (at <= commit) return;
    commit = at;
    const position = positions.ofCommit(at);
    if (position > tail) tail = position;
    arrived.ring();
  }

  /** One subscription, until it fails, has gone quiet or the log is closed. */
  async function follow(): Promise<void> {
    subscription = new AbortController();
    owed = undefined;
    const { signal } = subscription;
    const filter = { streamPrefix: prefixOf(namespace) };
    const hear = (answer: streams.ReadResp): boolean => {
      const record = answer.getEvent()?.getEvent();
      if (record !== undefined)
        take(decode(record, namespace, positions.ofCommit, options.upcast), commitOf(record));
      else if (answer.hasCheckpoint()) pass(BigInt(answer.getCheckpoint()!.getCommitPosition()));
      else if (answer.hasConfirmation()) {
        live = true;
        opened.ring();
      } else if (answer.hasCaughtUp()) arrived.ring();
      return true;
    };
    try {
      await calls.read(subscribeRequest(commit, filter, checkpointRecords), hear, {
        firstWithinMs: callTimeoutMs,
        signal: AbortSignal.any([closing.signal, signal]),
      });
    } finally {
      live = false;
    }
    if (closing.signal.aborted) return;
    throw new Error(
      signal.aborted
        ? `the subscription did not bring in ${quietMs} ms what a read found`
        : "the server ended the subscription",
    );
  }

  async function run(): Promise<void> {
    let retryMs = retryFirstMs;
    while (!closing.signal.aborted) {
      const startedAt = performance.now();
      try {
        if (tail < 0n) {
          commit = await reader.end(closing.signal);
          if (closing.signal.aborted) return;
          tail = commit === 0n ? 0n : positions.ofCommit(commit);
          start = tail;
          arrived.ring();
        }
        await follow();
      } catch (error) {
        if (closing.signal.aborted) return;
        onError(error);
      }
      if (performance.now() - startedAt > 10_000) retryMs = retryFirstMs;
      await pause(retryMs * (0.5 + Math.random()));
      retryMs = Math.min(retryMs * 2, retryLastMs);
    }
  }

  const ensure = (): void => void (running ??= run());

  /** Ends early when the log is closed, or what waits is. */
  const pause = (ms: number, ...signals: readonly AbortSignal[]): Promise<void> =>
    new Promise((resolve) => {
      const all = [closing.signal, ...signals];
      const done = (): void => {
        clearTimeout(timer);
        for (const signal of all) signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      for (const signal of all) signal.addEventListener("abort", done, { once: true });
      if (all.some(({ aborted }) => aborted)) done();
    });

  /** Moves past records of others that no checkpoint has told of: without it an idle namespace would never reach the end of a busy log. */
  async function look(): Promise<void> {
    const target = await reader.end(closing.signal);
    while (commit < target && !closing.signal.aborted) {
      let passed = commit;
      let own: bigint | undefined;
      const more = await reader.scan(
        commit,
        (event, at) => {
          if (event !== undefined) own = at;
          else passed = at;
          return event === undefined && at < target;
        },
        // The one at the place itself is counted, too.
        { records: 2, signal: closing.signal },
      );
      if (closing.signal.aborted) return;
      if (own === undefined ? !more : own > target) passed = target;
      // An own event comes by the subscription: only up to the first that has not come yet.
      if (own !== undefined && own > commit && passed <= commit) return expectOwn();
      if (passed <= commit) return;
      pass(passed);
    }
  }

  /** What comes after a place stands there for longer than a subscription that is well takes to bring it: it is opened again from there, which costs nothing if it was well. */
  function expectOwn(): void {
    const now = performance.now();
    if (!live || owed?.after !== commit) owed = live ? { after: commit, since: now } : undefined;
    else if (now - owed.since > quietMs) subscription.abort();
  }

  function lookSoon(ms: number): void {
    looking ??= (async () => {
      await pause(ms);
      let nextMs = idleLookMs;
      try {
        if (!closing.signal.aborted && tail >= 0n) await look();
        if (wanted > tail) nextMs = askedLookMs;
      } catch (error) {
        onError(error);
        nextMs = Math.min(ms * 2, retryLastMs);
      }
      looking = undefined;
      if (!closing.signal.aborted && subscribers > 0) lookSoon(nextMs);
    })();
  }

  /** Index of the first event of the ring after a position. */
  function indexAfter(position: bigint): number {
    let low = 0;
    let high = ring.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ring[middle]!.position <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function slice(position: bigint, max: number, types: ReadonlySet<string> | undefined): Batch {
    const events: RecordedEvent[] = [];
    let index = indexAfter(position);
    for (; index < ring.length && events.length < max; index++) {
      const event = ring[index]!;
      if (types === undefined || types.has(event.type)) events.push(event);
    }
    const reached = index < ring.length ? ring[index - 1]!.position : tail;
    return { events, position: reached, head: tail, caughtUp: index >= ring.length };
  }

  async function assertNotAhead(position: bigint): Promise<void> {
    const head = await reader.head();
    if (position > head && position > tail) throw new CheckpointAhead(position, head);
  }

  async function* subscribe(request: SubscribeOptions): AsyncGenerator<Batch> {
    const { signal, types } = request;
    const max = request.maxEvents ?? 500;
    const wantedTypes = types === undefined ? undefined : new Set(types);
    const filter = types === undefined ? {} : { types };
    const over = (): boolean => signal.aborted || closing.signal.aborted;
    let position = request.after;
    let first = true;
    let retryMs = retryFirstMs;
    const wake = (): void => arrived.ring();
    signal.addEventListener("abort", wake, { once: true });
    subscribers++;
    ensure();
    lookSoon(idleLookMs);
    try {
      while (!over()) {
        let batch: Batch;
        if (tail >= 0n && position >= start && position <= tail) {
          if (!first && position >= tail) {
            await arrived.wait();
            continue;
          }
          batch = slice(position, max, wantedTypes);
        } else {
          try {
            if (first) await assertNotAhead(position);
            const page = await pages.readAll({ after: position, limit: max, ...filter });
            batch = { ...page, caughtUp: page.position >= page.head };
            // The next page is read while this one is worked on; whoever wants it finds it among the shared ones.
            if (page.events.length === max && page.position < start)
              pages.readAll({ after: page.position, limit: max, ...filter }).catch(() => undefined);
            retryMs = retryFirstMs;
          } catch (error) {
            if (error instanceof CheckpointAhead) throw error;
            onError(error);
            await pause(retryMs, signal);
            retryMs = Math.min(retryMs * 2, retryLastMs);
            continue;
          }
          if (over()) return;
          if (!first && batch.events.length === 0 && batch.position === position) {
            // Read to its end while the ring is not there yet, or just behind it.
            await Promise.race([arrived.wait(), pause(askedLookMs, signal)]);
            continue;
          }
        }
        first = false;
        position = batch.position;
        if (batch.caughtUp) pages.clear();
        yield batch;
      }
    } finally {
      signal.removeEventListener("abort", wake);
      subscribers--;
    }
  }

  return {
    subscribe,
    onEvent(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async ready() {
      ensure();
      while (!live && !closing.signal.aborted) await Promise.race([opened.wait(), pause(100)]);
    },
    live: () => live,
    passed: (at) => tail >= 0n && at <= commit,
    reachFor(position) {
      if (position > wanted) wanted = position;
      if (wanted > tail && subscribers > 0) lookSoon(askedLookMs);
    },
    distance() {
      const last = ring.at(-1);
      if (last === undefined || ring.length < 50) return undefined;
      return Number(last.position - ring[0]!.position) / (ring.length - 1);
    },
    async close() {
      closing.abort();
      arrived.ring();
      await running;
      await looking;
    },
  };
}
