import {
  BACKWARDS,
  END,
  FORWARDS,
  START,
  StreamDeletedError,
  StreamNotFoundError,
  type EventStoreDBClient,
} from "@eventstore/db-client";
import type { Page, ReadAllOptions, ReadStreamOptions, RecordedEvent, Upcast } from "../types.ts";
import { callTimeoutMs, unavailable, within } from "./connection.ts";
import { commitOf, decode, prefixOf, streamName, type Decoded } from "./codec.ts";
import type { Positions } from "./positions.ts";

/**
 * Records of all namespaces asked for at once; the client cannot filter a read, so others' are thrown away here. Each costs 70 µs whether it is wanted or not: a page asks
 * for as many as it wants events at first, and then for what the share of wanted ones lets expect.
 */
const recordsAtLeast = 16;
const recordsAtMost = 1_000;
/** A page looks at this many records, so that a rare type never scans the whole log at once. */
const pageRecords = 10_000;
const recordsFor = (events: number, share: number): number =>
  Math.min(recordsAtMost, Math.max(recordsAtLeast, Math.ceil(events / share) + 1));
/** Streams read at the same time by `readStreams`. */
const streamsAtOnce = 32;
const readTimeoutMs = 30_000;
/** gRPC's status. */
const invalidArgument = 3;

/** Where the server's log ends: the place of its last record, whoever's it is; 0n when there is none. Throws LogUnavailable. */
export const readEnd = (client: EventStoreDBClient): Promise<bigint> =>
  within(lastCommit(client), callTimeoutMs + 500).catch((error: unknown) => {
    throw unavailable(error);
  });

async function lastCommit(client: EventStoreDBClient): Promise<bigint> {
  let last = 0n;
  for await (const { event } of client.readAll({
    direction: BACKWARDS,
    fromPosition: END,
    maxCount: 1,
    deadline: callTimeoutMs,
  }))
    if (event) last = commitOf(event);
  return last;
}

export type Reader = ReturnType<typeof makeReader>;

export function makeReader(
  client: EventStoreDBClient,
  namespace: string,
  positions: Positions,
  upcast: Upcast | undefined,
) {
  const prefix = prefixOf(namespace);
  const decoded = (record: Parameters<typeof decode>[0]): Decoded =>
    decode(record, namespace, positions.ofCommit, upcast);

  /** A stream's events as they are stored, with the attempt that wrote each. */
  async function readDecoded(
    stream: string,
    { from, limit = 1_000, backwards = false }: ReadStreamOptions = {},
  ): Promise<readonly Decoded[]> {
    if (limit <= 0 || (backwards && from !== undefined && from < 0)) return [];
    const events: Decoded[] = [];
    const start = from === undefined ? (backwards ? END : START) : BigInt(from);
    try {
      for await (const { event } of client.readStream(streamName(namespace, stream), {
        direction: backwards ? BACKWARDS : FORWARDS,
        fromRevision: start,
        maxCount: limit,
        deadline: readTimeoutMs,
      }))
        if (event) events.push(decoded(event));
    } catch (error) {
      if (error instanceof StreamNotFoundError || error instanceof StreamDeletedError) return [];
      throw unavailable(error);
    }
    return events;
  }

  const readStream = async (
    stream: string,
    options: ReadStreamOptions = {},
  ): Promise<readonly RecordedEvent[]> =>
    (await readDecoded(stream, options)).map(({ event }) => event);

  async function readStreams(
    streams: readonly string[],
    options: { readonly limit?: number } = {},
  ): Promise<ReadonlyMap<string, readonly RecordedEvent[]>> {
    const found = new Map<string, readonly RecordedEvent[]>(streams.map((name) => [name, []]));
    const left = [...found.keys()];
    const worker = async (): Promise<void> => {
      for (let name = left.pop(); name !== undefined; name = left.pop())
        found.set(name, await readStream(name, options));
    };
    await Promise.all(Array.from({ length: Math.min(streamsAtOnce, left.length) }, worker));
    return found;
  }

  const end = (): Promise<bigint> => readEnd(client);
  const head = async (): Promise<bigint> => {
    const commit = await end();
    return commit === 0n ? 0n : positions.ofCommit(commit);
  };

  /**
   * Records of everything after a place, in order, as long as they are taken; the one at the place itself is left out. Gives whether there may be more. What comes after
   * the last that was taken is read and thrown away: a read that is left early stays open at the server until its deadline (a hundred of them block the
   * connection), and cancelling one makes the client connect anew.
   */
  async function scan(
    commit: bigint,
    take: (event: RecordedEvent | undefined, commit: bigint) => boolean,
    records = recordsAtMost,
  ): Promise<boolean> {
    let seen = 0;
    let taking = true;
    try {
      for await (const { event } of client.readAll({
        fromPosition: commit === 0n ? START : { commit, prepare: commit },
        maxCount: records,
        deadline: readTimeoutMs,
      })) {
        seen++;
        if (event === undefined || !taking) continue;
        const at = commitOf(event);
        if (at <= commit) continue;
        const own = event.streamId.startsWith(prefix) ? decoded(event).event : undefined;
        taking = take(own, at);
      }
    } catch (error) {
      throw unavailable(error);
    }
    return !taking || seen === records;
  }

  /** `known`: a place that the log has certainly reached; where the page ends before it the server is not asked for its end. */
  async function readPage(
    { after, limit, types }: ReadAllOptions,
    known: () => bigint,
  ): Promise<Page & { readonly bytes: number }> {
    const wanted = types && new Set(types);
    const events: RecordedEvent[] = [];
    let commit = positions.commitBefore(after);
    let position = after;
    let more = true;
    let seen = 0;
    let bytes = 0;
    // Between copied events a position may stand still: then there is no place to go on from, and it is looked further.
    while (more && events.length < limit && (seen < pageRecords || position === after)) {
      const records = recordsFor(limit - events.length, seen === 0 ? 1 : events.length / seen);
      seen += records;
      more = await scan(
        commit,
        (event, at) => {
          const size = Number(at - commit);
          commit = at;
          const here = event?.position ?? positions.ofCommit(at);
          // Records between copied events have places of their own, which lie before where we are.
          if (here > position) {
            position = here;
            if (event && (!wanted || wanted.has(event.type))) {
              events.push(event);
              bytes += size;
            }
          }
          return events.length < limit;
        },
        records,
      );
    }
    const reached = known();
    const last = !more ? position : reached > position ? reached : await head();
    return { events, position, head: last > position ? last : position, bytes };
  }

  async function readAll(options: ReadAllOptions): Promise<Page> {
    const { events, position, head: end } = await readPage(options, () => 0n);
    return { events, position, head: end };
  }

  async function readAt(position: bigint): Promise<RecordedEvent | undefined> {
    let commit = positions.commitAt(position);
    // The place before a position is its own where nothing was copied: begin with the record itself.
    let found: RecordedEvent | undefined;
    try {
      for await (const { event } of client.readAll({
        fromPosition: commit === 0n ? START : { commit, prepare: commit },
        maxCount: 1,
        deadline: callTimeoutMs,
      })) {
        if (!event?.streamId.startsWith(prefix)) continue;
        const first = decoded(event).event;
        if (first.position === position) found = first;
      }
    } catch (error) {
      // No record begins there.
      if ((error as { code?: number }).code === invalidArgument) return undefined;
      throw unavailable(error);
    }
    for (let more = true, passed = found !== undefined; more && !passed;)
      more = await scan(commit, (event, at) => {
        commit = at;
        const here = event?.position ?? positions.ofCommit(at);
        if (here === position) found = event;
        passed = event === undefined ? here > position : here >= position;
        return !passed;
      });
    return found;
  }

  return { readDecoded, readStream, readStreams, readPage, readAll, readAt, head, scan, end };
}
