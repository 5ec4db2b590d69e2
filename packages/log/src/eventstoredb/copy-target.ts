import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { CopyRefused, type CopySide, type CopySource, type CopyTarget } from "../copy/types.ts";
import type { Position, RecordedEvent } from "../types.ts";
import { makeAppender, type Answer } from "./appender.ts";
import { makeCalls } from "./calls.ts";
import { propose, streamName, type Proposed } from "./codec.ts";
import { callTimeoutMs, connectEventStore, disconnect, unavailable } from "./connection.ts";
import {
  indexStream,
  type Mark,
  markTypes,
  positionsOf,
  readMarks,
  readPositions,
} from "./copied.ts";
import type { Positions } from "./positions.ts";
import { makeReader } from "./reader.ts";

export type EventStoreCopyOptions = {
  readonly connectionString: string;
  readonly namespace: string;
};

/** Half of what the server takes in one append by default, because texts are counted in characters. */
const appendCharacters = 500_000;
/** What an event takes beside its texts: id, type and what this driver adds. */
const envelopeCharacters = 400;
/** As many as a consumer reads at once: a page that begins at a mark reads nothing in vain. */
const markEveryEvents = 500;
/** A leader's election takes seconds. Repeating is safe: ids and revisions are exact. */
const retryForMs = 30_000;
const retryEveryMs = 250;

/** Opens a namespace to copy from. Services that use it cannot be seen. Throws CopyRefused when a copy into it has not ended. */
export async function openEventStoreCopySource({
  connectionString,
  namespace,
}: EventStoreCopyOptions): Promise<CopySide & { readonly log: CopySource }> {
  const client = connectEventStore(connectionString);
  try {
    const calls = makeCalls(client);
    const positions = await readPositions(calls, namespace);
    const { readAll, head } = makeReader(calls, namespace, positions, undefined);
    return { log: { readAll, head }, assertQuiet: noServicesSeen, close: () => disconnect(client) };
  } catch (error) {
    await disconnect(client);
    throw error;
  }
}

/**
 * Opens a namespace to copy to. Events are appended one run of a stream after the other, because the server's order must be that of
 * the positions; each carries its position and time. The marks of `copied.ts` say where they stand. Services that use the namespace
 * cannot be seen, but what they append in between is: `finish` refuses it. Another copy is refused at the next mark.
 */
export async function openEventStoreCopyTarget({
  connectionString,
  namespace,
}: EventStoreCopyOptions): Promise<CopyTarget & CopySide> {
  const client = connectEventStore(connectionString);
  const calls = makeCalls(client);
  const appender = makeAppender(calls);
  const marks: Mark[] = [];
  let current = positionsOf(marks);
  const positions: Positions = {
    ofCommit: (commit) => current.ofCommit(commit),
    commitBefore: (position) => current.commitBefore(position),
    commitAt: (position) => current.commitAt(position),
  };
  const reader = makeReader(calls, namespace, positions, undefined);
  let began = false;
  let sinceMark = 0;
  /** Position of the last event, or where the copy before this one ended. */
  let last = 0n;

  async function loadMarks(): Promise<void> {
    marks.push(...(await readMarks(calls, namespace, marks.length)));
    current = positionsOf(marks);
  }

  async function mark(kind: Mark["kind"], position: Position): Promise<void> {
    const id = randomUUID();
    const texts = { data: JSON.stringify({ position: position.toString() }), metadata: "{}" };
    const event = propose({ id, type: markTypes[kind] }, texts, {});
    await send(indexStream(namespace), [event], marks.length - 1, () => {
      throw new CopyRefused(`${namespace}: another copy-log writes to EventStoreDB`);
    });
    await loadMarks();
    sinceMark = 0;
  }

  /** At an exact revision, so that a repetition after a lost answer stores nothing twice. */
  async function send(
    stream: string,
    events: readonly Proposed[],
    expected: number,
    conflict: (actual: number) => never,
  ): Promise<void> {
    const giveUpAt = performance.now() + retryForMs;
    for (;;) {
      let answer: Answer;
      try {
        answer = await appender.append(stream, events, expected, callTimeoutMs);
      } catch (error) {
        if (performance.now() > giveUpAt) throw unavailable(error, true);
        await delay(retryEveryMs);
        continue;
      }
      switch (answer.kind) {
        case "stored":
          return;
        case "conflict":
          return conflict(answer.actual);
        case "deleted":
          throw new CopyRefused(`${stream} was deleted in EventStoreDB`);
        case "too_large":
          throw new CopyRefused(
            `${stream}: an event after revision ${expected} is larger than EventStoreDB takes; raise its MaxAppendSize`,
          );
      }
    }
  }

  async function begin(): Promise<void> {
    if (began) return;
    await mark("began", last);
    began = true;
  }

  /** Hands over the namespace's events after a place. */
  async function scanAll(commit: bigint, take: (event: RecordedEvent) => void): Promise<void> {
    for (let at = commit, more = true; more;)
      more = await reader.scan(at, (event, place) => {
        at = place;
        if (event !== undefined) take(event);
        return true;
      });
  }

  /** Everything since the copy began must be its own and stand in the order of positions: readers rely on both. */
  async function assertOrder(): Promise<void> {
    const before = marks.findLastIndex((one) => one.kind === "ended");
    const first = marks[before + 1]!;
    let position = first.position;
    await scanAll(first.commit, (event) => {
      if (event.position <= position)
        throw new CopyRefused(
          `${namespace}: revision ${event.revision} of ${event.stream} in EventStoreDB was not written by this copy: services must be stopped`,
        );
      position = event.position;
    });
  }

  try {
    await loadMarks();
  } catch (error) {
    await disconnect(client);
    throw error;
  }

  return {
    log: { readAll: reader.readAll, head: reader.head },
    assertQuiet: noServicesSeen,
    close() {
      appender.close();
      return disconnect(client);
    },

    async tail(limit) {
      const events: RecordedEvent[] = [];
      let after = 0n;
      const collect = (event: RecordedEvent): void => {
        events.push(event);
        if (events.length > limit) after = events.shift()!.position;
      };
      // The last mark may have nothing after it.
      const from = marks.filter((one) => one.kind === "reached").at(-2);
      if (from !== undefined) {
        after = from.position;
        await scanAll(from.commit, collect);
      }
      if (events.length === 0) {
        after = 0n;
        await scanAll(0n, collect);
      }
      const ended = marks.findLast((one) => one.kind === "ended")?.position ?? 0n;
      const end = events.at(-1)?.position ?? 0n;
      last = end > ended ? end : ended;
      return { after, events, end: last };
    },

    async write(events) {
      await begin();
      for (const run of runsOf(events)) {
        const { stream, revision } = run[0]!.event;
        const sent = run.map((one) => one.encoded);
        await send(streamName(namespace, stream), sent, revision - 1, (actual) => {
          throw new CopyRefused(
            `${namespace}: ${stream} in EventStoreDB ends at ${actual} instead of revision ${revision - 1}: services must be stopped`,
          );
        });
      }
      last = events.at(-1)!.position;
      sinceMark += events.length;
      if (sinceMark >= markEveryEvents) await mark("reached", last);
    },

    async finish(head) {
      const final = marks.at(-1);
      if (head === 0n || (final?.kind === "ended" && final.position >= head)) return;
      await begin();
      await assertOrder();
      await mark("ended", head);
      began = false;
      last = head;
    },
  };
}

type Sent = { readonly event: RecordedEvent; readonly encoded: Proposed };

/** Consecutive events of one stream, as many as fit in one append. */
function* runsOf(events: readonly RecordedEvent[]): Generator<readonly Sent[]> {
  let run: Sent[] = [];
  let size = 0;
  for (const event of events) {
    const own = { position: event.position.toString(), at: event.recordedAt };
    const texts = { data: JSON.stringify(event.data), metadata: JSON.stringify(event.metadata) };
    const encoded = propose(event, texts, own);
    const characters = texts.data.length + texts.metadata.length + envelopeCharacters;
    const stream = run[0]?.event.stream ?? event.stream;
    if (run.length > 0 && (stream !== event.stream || size + characters > appendCharacters)) {
      yield run;
      run = [];
      size = 0;
    }
    run.push({ event, encoded });
    size += characters;
  }
  if (run.length > 0) yield run;
}

/** The server does not tell who is connected. */
const noServicesSeen = async (): Promise<void> => undefined;
