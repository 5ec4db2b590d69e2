import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { CopyRefused, type CopySide, type CopySource, type CopyTarget } from "../copy/types.ts";
import type { Position, RecordedEvent } from "../types.ts";
import { Appender, type Answer } from "./appender.ts";
import { Calls } from "./calls.ts";
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
import { Reader } from "./reader.ts";

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
    const calls = new Calls(client);
    const positions = await readPositions(calls, namespace);
    const { readAll, head } = new Reader(calls, namespace, positions, undefined);
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
  try {
    const target = new Target(client, namespace);
    await target.loadMarks();
    return target;
  } catch (error) {
    await disconnect(client);
    throw error;
  }
}

class Target implements CopyTarget, CopySide {
  readonly log: CopySource;
  readonly assertQuiet = noServicesSeen;
  readonly #client: ReturnType<typeof connectEventStore>;
  readonly #namespace: string;
  readonly #calls: Calls;
  readonly #appender: Appender;
  readonly #reader: Reader;
  readonly #marks: Mark[] = [];
  #positions = positionsOf([]);
  #began = false;
  #sinceMark = 0;
  /** Position of the last event, or where the copy before this one ended. */
  #last = 0n;

  constructor(client: ReturnType<typeof connectEventStore>, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
    this.#calls = new Calls(client);
    this.#appender = new Appender(this.#calls);
    const positions: Positions = {
      ofCommit: (commit) => this.#positions.ofCommit(commit),
      commitBefore: (position) => this.#positions.commitBefore(position),
      commitAt: (position) => this.#positions.commitAt(position),
    };
    this.#reader = new Reader(this.#calls, namespace, positions, undefined);
    const { readAll, head } = this.#reader;
    this.log = { readAll, head };
  }

  close(): Promise<void> {
    this.#appender.close();
    return disconnect(this.#client);
  }

  async loadMarks(): Promise<void> {
    this.#marks.push(...(await readMarks(this.#calls, this.#namespace, this.#marks.length)));
    this.#positions = positionsOf(this.#marks);
  }

  async tail(limit: number): ReturnType<CopyTarget["tail"]> {
    const events: RecordedEvent[] = [];
    let after = 0n;
    const collect = (event: RecordedEvent): void => {
      events.push(event);
      if (events.length > limit) after = events.shift()!.position;
    };
    // The last mark may have nothing after it.
    const from = this.#marks.filter((one) => one.kind === "reached").at(-2);
    if (from !== undefined) {
      after = from.position;
      await this.#scanAll(from.commit, collect);
    }
    if (events.length === 0) {
      after = 0n;
      await this.#scanAll(0n, collect);
    }
    const ended = this.#marks.findLast((one) => one.kind === "ended")?.position ?? 0n;
    const end = events.at(-1)?.position ?? 0n;
    this.#last = end > ended ? end : ended;
    return { after, events, end: this.#last };
  }

  async write(events: readonly RecordedEvent[]): Promise<void> {
    await this.#begin();
    for (const run of runsOf(events)) {
      const { stream, revision } = run[0]!.event;
      const sent = run.map((one) => one.encoded);
      await this.#send(streamName(this.#namespace, stream), sent, revision - 1, (actual) => {
        throw new CopyRefused(
          `${this.#namespace}: ${stream} in EventStoreDB ends at ${actual} instead of revision ${revision - 1}: services must be stopped`,
        );
      });
    }
    this.#last = events.at(-1)!.position;
    this.#sinceMark += events.length;
    if (this.#sinceMark >= markEveryEvents) await this.#mark("reached", this.#last);
  }

  async finish(head: Position): Promise<void> {
    const final = this.#marks.at(-1);
    if (head === 0n || (final?.kind === "ended" && final.position >= head)) return;
    await this.#begin();
    await this.#assertOrder();
    await this.#mark("ended", head);
    this.#began = false;
    this.#last = head;
  }

  async #begin(): Promise<void> {
    if (this.#began) return;
    await this.#mark("began", this.#last);
    this.#began = true;
  }

  async #mark(kind: Mark["kind"], position: Position): Promise<void> {
    const id = randomUUID();
    const texts = { data: JSON.stringify({ position: position.toString() }), metadata: "{}" };
    const event = propose({ id, type: markTypes[kind] }, texts, {});
    await this.#send(indexStream(this.#namespace), [event], this.#marks.length - 1, () => {
      throw new CopyRefused(`${this.#namespace}: another copy-log writes to EventStoreDB`);
    });
    await this.loadMarks();
    this.#sinceMark = 0;
  }

  /** At an exact revision, so that a repetition after a lost answer stores nothing twice. */
  async #send(
    stream: string,
    events: readonly Proposed[],
    expected: number,
    conflict: (actual: number) => never,
  ): Promise<void> {
    const giveUpAt = performance.now() + retryForMs;
    for (;;) {
      let answer: Answer;
      try {
        answer = await this.#appender.append(stream, events, expected, callTimeoutMs);
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

  /** Hands over the namespace's events after a place. */
  async #scanAll(commit: bigint, take: (event: RecordedEvent) => void): Promise<void> {
    for (let at = commit, more = true; more;)
      more = await this.#reader.scan(at, (event, place) => {
        at = place;
        if (event !== undefined) take(event);
        return true;
      });
  }

  /** Everything since the copy began must be its own and stand in the order of positions: readers rely on both. */
  async #assertOrder(): Promise<void> {
    const before = this.#marks.findLastIndex((one) => one.kind === "ended");
    const first = this.#marks[before + 1]!;
    let position = first.position;
    await this.#scanAll(first.commit, (event) => {
      if (event.position <= position)
        throw new CopyRefused(
          `${this.#namespace}: revision ${event.revision} of ${event.stream} in EventStoreDB was not written by this copy: services must be stopped`,
        );
      position = event.position;
    });
  }
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
