import { StreamDeletedError } from "@eventstore/db-client";
import type streams from "@eventstore/db-client/generated/streams_pb.js";
import {
  DEFAULT_READS,
  makeBudget,
  makeStreamReads,
  type ReadLimits,
  type ReadPage,
} from "../stream-reads.ts";
import type { Page, ReadAllOptions, RecordedEvent, Upcast } from "../types.ts";
import type { Calls, ReadOptions } from "./calls.ts";
import { callTimeoutMs, unavailable, within } from "./connection.ts";
import { commitOf, decode, prefixOf, streamName, streamOf, type Decoded } from "./codec.ts";
import type { Positions } from "./positions.ts";
import { readAllRequest, readStreamRequest, subscribeRequest, type Filter } from "./requests.ts";

/**
 * Records asked for at once. The node leaves out what nobody wants, so that a page asks for as many as it wants events at first, and then for what the share of wanted ones
 * lets expect.
 */
const recordsAtLeast = 16;
const recordsAtMost = 1_000;
/** A page looks at this many records that the node found, so that a rare type never scans a whole log at once. */
const pageRecords = 10_000;
/**
 * A node filters by stream or by type, not by both. The namespace bounds what a reader has to throw away, also beside a larger one with the same types; where a page finds less
 * than a twentieth of what comes to be of its types, it goes on by types, and back by the same rule: the worst is twice the better of the two.
 */
const rareShare = 0.05;
const judgedRecords = 200;
const rareListsAtMost = 100;
const recordsFor = (events: number, share: number): number =>
  Math.min(recordsAtMost, Math.max(recordsAtLeast, Math.ceil(events / share) + 1));
/** Streams read at the same time by `readStreams`. */
const streamsAtOnce = 32;
const readTimeoutMs = 30_000;
/** A node that finds nothing in so long is asked in a way that tells how far it has looked. */
const searchTimeoutMs = 2_000;
const checkpointRecords = 4_096;
/** gRPC's statuses. */
const invalidArgument = 3;
const deadlineExceeded = 4;
const statusOf = (error: unknown): unknown => (error as { readonly code?: unknown }).code;

/** Where the server's log ends: the place of its last record, whoever's it is; 0n when there is none, or the signal was quicker. Throws LogUnavailable. */
export const readEnd = (calls: Calls, signal?: AbortSignal): Promise<bigint> =>
  within(lastCommit(calls, signal), callTimeoutMs + 500).catch((error: unknown) => {
    throw unavailable(error);
  });

async function lastCommit(calls: Calls, signal: AbortSignal | undefined): Promise<bigint> {
  let last = 0n;
  const take = (answer: streams.ReadResp): boolean => {
    const record = answer.getEvent()?.getEvent();
    if (record) last = commitOf(record);
    return true;
  };
  const request = readAllRequest({ from: "end", records: 1 });
  await calls.read(request, take, { firstWithinMs: callTimeoutMs, ...(signal && { signal }) });
  return last;
}

/** Bytes are those of the event's content; none for another's record. */
type Take = (event: RecordedEvent | undefined, commit: bigint, bytes: number) => boolean;
type ScanOptions = {
  readonly records?: number;
  readonly filter?: Filter;
  /** Ends it early: what it gives then says nothing. */
  readonly signal?: AbortSignal;
};

/** Reads of one namespace. */
export class Reader {
  readonly #calls: Calls;
  readonly #namespace: string;
  readonly #prefix: string;
  readonly #ofNamespace: Filter;
  readonly #positions: Positions;
  readonly #upcast: Upcast | undefined;
  readonly #limits: ReadLimits;
  /** Lists of types that the last page was better found by than by the namespace. */
  readonly #rareTypes = new Set<string>();

  constructor(
    calls: Calls,
    namespace: string,
    positions: Positions,
    upcast: Upcast | undefined,
    limits: ReadLimits = DEFAULT_READS,
  ) {
    this.#calls = calls;
    this.#namespace = namespace;
    this.#prefix = prefixOf(namespace);
    this.#ofNamespace = { streamPrefix: this.#prefix };
    this.#positions = positions;
    this.#upcast = upcast;
    this.#limits = limits;
  }

  readonly readPage: ReadPage = async (stream, options) => {
    const { events, bytes } = await this.#readDecoded(stream, options);
    const full = events.length >= options.limit || bytes >= this.#limits.pageBytes;
    return { events: events.map(({ event }) => event), bytes, full };
  };

  /** The event at a revision; the last one when that is left out. */
  async readOne(stream: string, revision?: number): Promise<Decoded | undefined> {
    const backwards = revision === undefined;
    const { events } = await this.#readDecoded(stream, { from: revision, limit: 1, backwards });
    return events[0];
  }

  readonly readStreams = async (
    streams: readonly string[],
    options: { readonly limit?: number } = {},
  ): Promise<ReadonlyMap<string, readonly RecordedEvent[]>> => {
    const found = new Map<string, readonly RecordedEvent[]>(streams.map((name) => [name, []]));
    const left = [...found.keys()];
    const spend = makeBudget(`${found.size} streams`, this.#limits.maxBytes);
    const { readStream } = makeStreamReads(async (stream, page) => {
      const read = await this.readPage(stream, page);
      spend(read.bytes);
      return read;
    }, this.#limits);
    const worker = async (): Promise<void> => {
      for (let name = left.pop(); name !== undefined; name = left.pop())
        found.set(name, await readStream(name, options));
    };
    await Promise.all(Array.from({ length: Math.min(streamsAtOnce, left.length) }, worker));
    return found;
  };

  readonly readAll = async (options: ReadAllOptions): Promise<Page> => {
    const { events, position, head } = await this.readFeedPage(options, () => 0n);
    return { events, position, head };
  };

  /** Where the server's log ends, whoever's its last record is. */
  end(signal?: AbortSignal): Promise<bigint> {
    return readEnd(this.#calls, signal);
  }

  readonly head = async (): Promise<bigint> => {
    const commit = await this.end();
    return commit === 0n ? 0n : this.#positions.ofCommit(commit);
  };

  /**
   * The namespace's records after a place, or what else a filter lets through; in order, as long as they are taken; the one at the place itself is left out. Gives
   * whether there may be more. Where the node looks for long and finds nothing, `take` hears how far it came.
   */
  async scan(
    commit: bigint,
    take: Take,
    { records = recordsAtMost, filter = this.#ofNamespace, signal }: ScanOptions = {},
  ): Promise<boolean> {
    const heard = new Heard(commit, records, (record, at) => {
      if (record === undefined || !streamOf(record).startsWith(this.#prefix))
        return take(undefined, at, 0);
      const { event, bytes } = this.#decoded(record);
      return take(event, at, bytes);
    });
    const inTime = async (
      request: streams.ReadReq,
      taken: (answer: streams.ReadResp) => boolean,
      options: ReadOptions,
    ): Promise<boolean> => {
      try {
        await this.#calls.read(request, taken, { ...options, ...(signal && { signal }) });
        return true;
      } catch (error) {
        if (statusOf(error) === deadlineExceeded) return false;
        throw unavailable(error);
      }
    };
    const read = readAllRequest({ from: commit, records, filter });
    const timeoutMs = searchTimeoutMs;
    if (await inTime(read, (answer) => heard.record(answer), { timeoutMs })) return heard.mayBeMore;
    if (heard.moved) return true;
    const search = subscribeRequest(commit, filter, checkpointRecords);
    await inTime(search, (answer) => heard.searched(answer), {
      timeoutMs: readTimeoutMs - searchTimeoutMs,
      firstWithinMs: callTimeoutMs,
    });
    if (heard.atEnd) return false;
    if (!heard.moved && !signal?.aborted)
      throw unavailable(new Error(`the node gave nothing in ${readTimeoutMs} ms`));
    return true;
  }

  /** `known`: a place that the log has certainly reached. Where it lies after the position the node is not asked for its end. */
  async readFeedPage(
    { after, limit, types }: ReadAllOptions,
    known: () => bigint,
  ): Promise<Page & { readonly bytes: number }> {
    const wanted = types && new Set(types);
    const ofTypes: Filter = types?.length ? { types } : this.#ofNamespace;
    const key = types?.join("\n") ?? "";
    let filter = this.#rareTypes.has(key) ? ofTypes : this.#ofNamespace;
    const events: RecordedEvent[] = [];
    const reached = known();
    const head = reached > after ? reached : await this.head();
    let commit = this.#positions.commitBefore(after);
    let position = after;
    let more = true;
    let seen = 0;
    let bytes = 0;
    // Between copied events a position may stand still: then there is no place to go on from, and it is looked further.
    const full = (): boolean => events.length >= limit || bytes >= this.#limits.pageBytes;
    while (more && !full() && (seen < pageRecords || position === after)) {
      const records = recordsFor(limit - events.length, seen === 0 ? 1 : events.length / seen);
      const before = events.length;
      seen += records;
      more = await this.scan(
        commit,
        (event, at, size) => {
          commit = at;
          const here = event?.position ?? this.#positions.ofCommit(at);
          // Records between copied events have places of their own, which lie before where we are.
          if (here > position) {
            position = here;
            if (event && (!wanted || wanted.has(event.type))) {
              events.push(event);
              bytes += size;
            }
          }
          return !full();
        },
        { records, filter },
      );
      if (more && records >= judgedRecords && (events.length - before) / records < rareShare)
        filter = filter === this.#ofNamespace ? ofTypes : this.#ofNamespace;
    }
    if (filter === this.#ofNamespace) this.#rareTypes.delete(key);
    else if (this.#rareTypes.size < rareListsAtMost) this.#rareTypes.add(key);
    // To the end there was nothing else: what others had stored when it began is passed as well.
    if (!more && head > position) position = head;
    return { events, position, head: head > position ? head : position, bytes };
  }

  readonly readAt = async (position: bigint): Promise<RecordedEvent | undefined> => {
    let commit = this.#positions.commitAt(position);
    let found: RecordedEvent | undefined;
    try {
      // The place before a position is its own where nothing was copied: begin with the record itself.
      const first = await this.#recordAt(commit);
      if (first?.position === position) found = first;
    } catch (error) {
      // No record begins there.
      if (statusOf(error) === invalidArgument) return undefined;
      throw unavailable(error);
    }
    for (let more = true, passed = found !== undefined; more && !passed;)
      more = await this.scan(commit, (event, at) => {
        commit = at;
        const here = event?.position ?? this.#positions.ofCommit(at);
        if (here === position) found = event;
        passed = event === undefined ? here > position : here >= position;
        return !passed;
      });
    return found;
  };

  /** The namespace's event at a place, or the next after it that is the server's first answer. */
  async #recordAt(commit: bigint): Promise<RecordedEvent | undefined> {
    let found: RecordedEvent | undefined;
    const take = (answer: streams.ReadResp): boolean => {
      const record = answer.getEvent()?.getEvent();
      if (record !== undefined && streamOf(record).startsWith(this.#prefix))
        found = this.#decoded(record).event;
      return true;
    };
    const timeoutMs = callTimeoutMs;
    await this.#calls.read(readAllRequest({ from: commit, records: 1 }), take, { timeoutMs });
    return found;
  }

  #decoded(record: Parameters<typeof decode>[0]): Decoded {
    return decode(record, this.#namespace, this.#positions.ofCommit, this.#upcast);
  }

  /** A stream's events as they are stored, with the attempt that wrote each; it ends early when it is full by bytes. */
  async #readDecoded(
    stream: string,
    { from, limit, backwards }: Parameters<ReadPage>[1],
  ): Promise<{ readonly events: readonly Decoded[]; readonly bytes: number }> {
    const events: Decoded[] = [];
    let bytes = 0;
    const request = readStreamRequest({
      stream: streamName(this.#namespace, stream),
      from,
      records: limit,
      backwards,
    });
    // A stream that there is not has no records either.
    const take = (answer: streams.ReadResp): boolean => {
      const record = answer.getEvent()?.getEvent();
      if (record === undefined) return true;
      const one = this.#decoded(record);
      events.push(one);
      bytes += one.bytes;
      return bytes < this.#limits.pageBytes;
    };
    try {
      await this.#calls.read(request, take, {
        timeoutMs: readTimeoutMs,
        firstWithinMs: callTimeoutMs,
      });
    } catch (error) {
      if (error instanceof StreamDeletedError) return { events: [], bytes: 0 };
      throw unavailable(error);
    }
    return { events, bytes };
  }
}

type Stored = Parameters<typeof decode>[0];

/** What a scan has heard of what lies after its place. */
class Heard {
  /** Whether anything came that lies past the place: only that is progress, for the next scan begins where this one came to. */
  moved = false;
  /** A search came to the end of the log. */
  atEnd = false;
  readonly #commit: bigint;
  readonly #records: number;
  readonly #take: (record: Stored | undefined, commit: bigint) => boolean;
  #seen = 0;
  #taking = true;

  constructor(
    commit: bigint,
    records: number,
    take: (record: Stored | undefined, commit: bigint) => boolean,
  ) {
    this.#commit = commit;
    this.#records = records;
    this.#take = take;
  }

  get mayBeMore(): boolean {
    return !this.#taking || this.#seen === this.#records;
  }

  record(answer: streams.ReadResp): boolean {
    const record = answer.getEvent()?.getEvent();
    if (record === undefined) return true;
    this.#seen++;
    const at = commitOf(record);
    if (at <= this.#commit) return true;
    this.moved = true;
    this.#taking = this.#take(record, at);
    return this.#taking;
  }

  /** With how far the node came, until there is something or nothing more. */
  searched(answer: streams.ReadResp): boolean {
    if (answer.hasCaughtUp()) this.atEnd = true;
    if (this.atEnd) return false;
    const checkpoint = answer.getCheckpoint();
    if (checkpoint === undefined) return this.record(answer) && this.#seen < this.#records;
    const at = BigInt(checkpoint.getCommitPosition());
    if (at <= this.#commit) return true;
    this.moved = true;
    return this.#take(undefined, at);
  }
}
