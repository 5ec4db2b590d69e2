import { makeBell } from "./bell.ts";
import { Companions, type Item, type Party } from "./companions.ts";
import { encodeAppend, expectedRevision } from "./check.ts";
import { withFairReads, type DriverLog } from "./fair-reads.ts";
import { DEFAULT_READS, type ReadPage } from "./stream-reads.ts";
import {
  asRecorded,
  denseSpan,
  LogUnavailable,
  type Append,
  type Batch,
  type EventLog,
  type Outcome,
  type RecordedEvent,
  type SubscribeOptions,
  type Upcast,
  type Validate,
} from "./types.ts";
import { upcastSafely } from "./upcast.ts";

/** What an append comes to as text, or why it can never be stored. */
type Checked = ReturnType<typeof encodeAppend> | Item["encoded"];

export type MemoryLogOptions = { readonly validate?: Validate; readonly upcast?: Upcast };

/** A log that lives and dies with the process: for tests and for trying things out. Not durable. */
export function openMemoryLog(options: MemoryLogOptions = {}): EventLog {
  const store = makeStore(options);
  const { all, streams, appendOne, scan, readPage } = store;
  const companions = new Companions(options.validate);
  const bell = makeBell();
  let closed = false;

  async function* subscribe(request: SubscribeOptions): AsyncGenerator<Batch> {
    let position = request.after;
    let first = true;
    request.signal.addEventListener("abort", bell.ring, { once: true });
    try {
      while (!request.signal.aborted && !closed) {
        if (!first && position >= BigInt(all.length)) {
          await bell.wait();
          continue;
        }
        first = false;
        const page = scan(position, request.maxEvents ?? 500, request.types);
        position = page.position;
        yield { ...page, caughtUp: page.position >= page.head };
      }
    } finally {
      request.signal.removeEventListener("abort", bell.ring);
    }
  }

  const log: DriverLog = {
    async append(appends) {
      if (closed) throw new LogUnavailable("the log is closed");
      const before = all.length;
      const checked = appends.map((append) => encodeAppend(append, options.validate));
      const party = companions.areThere ? partyOf(appends, checked, companions, store) : undefined;
      const outcomes = appends.map((append, at) => appendOne(append, checked[at]!));
      for (const { append, encoded } of party?.items ?? []) appendOne(append, encoded);
      party?.over(true);
      if (all.length > before) companions.stored(all.slice(before));
      bell.ring();
      return outcomes;
    },
    accompany: companions.add,
    async readStreams(names, { limit = Infinity } = {}) {
      return new Map(names.map((name) => [name, (streams.get(name) ?? []).slice(0, limit)]));
    },
    readAt: async (position) => all[Number(position) - 1],
    readAll: async ({ after, limit, types }) => scan(after, limit, types),
    subscribe,
    head: async () => BigInt(all.length),
    seal: async () => undefined,
    span: denseSpan,
    async close() {
      closed = true;
      bell.ring();
    },
  };
  return withFairReads(log, readPage, DEFAULT_READS, { perPartner: 1, total: 1 });
}

/** Only where every one of them is stored it is known where they will be. */
function partyOf(
  appends: readonly Append[],
  checked: readonly Checked[],
  companions: Companions,
  { all, lastRevision }: Pick<ReturnType<typeof makeStore>, "all" | "lastRevision">,
): Party | undefined {
  const taken = new Set(appends.map(({ stream }) => stream));
  if (taken.size < appends.length) return undefined;
  const items: Item[] = [];
  for (const [at, append] of appends.entries()) {
    const encoded = checked[at]!;
    const actual = lastRevision(append.stream);
    const expected = expectedRevision(append.expected);
    if (typeof encoded === "string" || (expected !== -2 && expected !== actual)) return undefined;
    items.push({ append: { ...append, expected: actual }, encoded });
  }
  const party = companions.join(items, BigInt(all.length), (stream) => taken.has(stream));
  const fits = party?.items.every(
    ({ append: { stream, expected } }) => lastRevision(stream) === expectedRevision(expected),
  );
  if (fits === true) return party;
  party?.over(false);
  return undefined;
}

/** The events in memory, and what is looked up among them. */
function makeStore(options: MemoryLogOptions) {
  const all: RecordedEvent[] = [];
  const streams = new Map<string, RecordedEvent[]>();
  const sizes = new WeakMap<RecordedEvent, number>();

  function appendOne(append: Append, encoded: Checked): Outcome {
    if (typeof encoded === "string") return { kind: "invalid", message: encoded };
    const stored = streams.get(append.stream) ?? [];
    const actual = stored.length - 1;
    const expected = expectedRevision(append.expected);
    if (expected !== -2 && expected !== actual) {
      return duplicateOf(append, stored.slice(expected + 1)) ?? { kind: "conflict", actual };
    }
    const recordedAt = Date.now();
    for (const [index, given] of append.events.entries()) {
      const { data, metadata } = encoded[index]!;
      // A round trip through JSON, so that nobody relies on what a real log would not keep.
      const whole = { ...given, data: JSON.parse(data), metadata: JSON.parse(metadata) };
      const position = BigInt(all.length + 1);
      const place = { stream: append.stream, revision: stored.length, position, recordedAt };
      const event = asRecorded({ version: 1, ...whole, ...place });
      const recorded = upcastSafely(event, options.upcast);
      sizes.set(recorded, data.length + metadata.length);
      stored.push(recorded);
      all.push(recorded);
    }
    streams.set(append.stream, stored);
    return {
      kind: "appended",
      revision: stored.length - 1,
      position: BigInt(all.length),
      recordedAt,
    };
  }

  function scan(after: bigint, limit: number, types?: readonly string[]) {
    const wanted = types && new Set(types);
    const events: RecordedEvent[] = [];
    let index = Number(after);
    let bytes = 0;
    while (index < all.length && events.length < limit && bytes < DEFAULT_READS.pageBytes) {
      const event = all[index++]!;
      if (wanted && !wanted.has(event.type)) continue;
      events.push(event);
      bytes += sizes.get(event)!;
    }
    return { events, position: BigInt(index), head: BigInt(all.length) };
  }

  const readPage: ReadPage = async (stream, { from, limit, backwards }) => {
    const stored = streams.get(stream) ?? [];
    const end = from === undefined ? undefined : from + 1;
    const asked = backwards ? stored.slice(0, end).toReversed() : stored.slice(from ?? 0);
    const events = asked.slice(0, limit);
    const bytes = events.reduce((sum, event) => sum + sizes.get(event)!, 0);
    return { events, bytes, full: asked.length > limit };
  };

  const lastRevision = (stream: string): number => (streams.get(stream)?.length ?? 0) - 1;
  return { all, streams, appendOne, lastRevision, scan, readPage };
}

/** The stored events that follow `expected` are exactly the offered ones: a repetition. */
function duplicateOf(append: Append, following: readonly RecordedEvent[]): Outcome | undefined {
  const last = following[append.events.length - 1];
  if (last === undefined) return undefined;
  if (!append.events.every((event, index) => following[index]!.id === event.id)) return undefined;
  const { revision, position, recordedAt } = last;
  return { kind: "duplicate", revision, position, recordedAt };
}
