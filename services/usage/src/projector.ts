import { failpoint, streamOf } from "@heliograph/contracts";
import { boundedCache } from "@heliograph/domain";
import { type RecordedEvent, ofType } from "@heliograph/log";
import {
  type ProjectorInstance,
  type ProjectorTools,
  type ServiceContext,
  type WritePart,
  openDeadLetters,
  projector,
} from "@heliograph/runtime";
import {
  type CountedEvent,
  type Life,
  type LifeEvent,
  countedTypes,
  evolveLife,
  hourOf,
  namesOf,
} from "./life.ts";
import { type Book, type NewName, bookName, dayOf, namingBy } from "./names.ts";
import {
  type Row,
  type RowKey,
  type Sum,
  addSum,
  count,
  isNothing,
  keysOf,
  nameOf,
  newSum,
  placeOf,
} from "./rows.ts";
import {
  loadBooks,
  loadRows,
  loadWrittenOff,
  writeNames,
  writeRows,
  writeWrittenOff,
} from "./store.ts";
import { usageDdl } from "./tables/usage.ts";

/** Small batches wait this long for company: usage is read by people, and each commit writes all rows of the hour and the day that it touches, however few messages it is about. */
const lingerMs = 500;
/** Messages whose statuses come in, seconds as a rule; 400 bytes each. Others are folded from their streams. */
const rememberedLives = 10_000;
/** Rows of the hours and days in which something happens; 4 KB each at most. */
const rememberedRows = 2_000;
/** Days of partners whose names are known; a few KB each as a rule. */
const rememberedBooks = 2_000;
/** A first event holds its content, up to 256 KB. */
const streamsAtOnce = 100;

type Context = Pick<ServiceContext, "log" | "pool">;
type Change = { readonly before: Life | undefined; readonly after: Life | undefined };

/**
 * Keeps `usage.hours` and `usage.days`: the sum, over all messages, of what each one's events up to the checkpoint say. A batch adds what its messages count as after it and takes out
 * what they counted as before; how they were before is folded from the log where it is not remembered, so there is nothing to keep about what was counted.
 */
export const usageProjector = (context: Context) =>
  projector({
    kind: "projector",
    name: "usage",
    schema: "usage",
    version: 3,
    types: countedTypes,
    spaces: { hours: "partner", days: "partner", names: "partner", written_off: "partner" },
    ddl: usageDdl,
    lingerMs,
    maxEvents: 2_000,
    create: async (tools) =>
      new Counting(context, tools, await openDeadLetters(context.pool, "usage")),
  });

const isCounted = ofType(...countedTypes);
const isWrittenOff = ofType("FundsWrittenOff");

/** What these events say of each message. Only a message's own stream tells of it, and the wallet what it wrote off: that is what is folded where a message is not remembered. */
function byMessage(events: readonly CountedEvent[]): ReadonlyMap<string, readonly LifeEvent[]> {
  const messages = new Map<string, LifeEvent[]>();
  const add = (id: string, event: LifeEvent): void => {
    const own = messages.get(id);
    if (own === undefined) messages.set(id, [event]);
    else own.push(event);
  };
  for (const event of events)
    if (event.type === "FundsWrittenOff")
      for (const { message_id } of event.data.entries) add(message_id, event);
    else if (event.stream === streamOf("message", event.data.message_id))
      add(event.data.message_id, event);
  return messages;
}

class Counting implements ProjectorInstance<CountedEvent["type"]> {
  readonly #context: Context;
  readonly #tools: ProjectorTools;
  /** Events that were set aside: they are not counted, and so no message was ever what they make of it. */
  readonly #aside: Set<bigint>;
  readonly #lives = boundedCache<string, Life>(rememberedLives);
  readonly #rows = boundedCache<string, Row>(rememberedRows);
  readonly #books = boundedCache<string, Book>(rememberedBooks);
  /** Up to here everything is counted that was not set aside. */
  #counted: bigint;

  constructor(context: Context, tools: ProjectorTools, aside: ReadonlySet<bigint>) {
    this.#context = context;
    this.#tools = tools;
    this.#aside = new Set(aside);
    this.#counted = tools.position;
  }

  async project(events: readonly CountedEvent[]): Promise<readonly WritePart[]> {
    const first = events[0]!.position;
    const messages = byMessage(events);
    // An event that was set aside comes back when what follows it is counted: it takes its place before those.
    const late = first <= this.#counted;
    const past = await this.#pasts(messages, late);
    const books = await this.#booksOf([...past.values(), ...messages.values()]);
    const added: NewName[] = [];
    const naming = namingBy(books, (name) => added.push(name));
    const fold = (from: Life | undefined, more: readonly LifeEvent[]): Life | undefined =>
      more.reduce((life, event) => evolveLife(life, event, naming), from);
    const changes: Change[] = [];
    for (const [id, own] of messages) {
      const history = past.get(id);
      const before =
        history === undefined
          ? this.#lives.get(id)
          : fold(
              undefined,
              history.filter(({ position }) => !this.#aside.has(position)),
            );
      if (late) for (const { position } of own) this.#aside.delete(position);
      const after = late
        ? fold(
            undefined,
            history!.filter(({ position }) => !this.#aside.has(position)),
          )
        : fold(before, own);
      if (after !== undefined) this.#lives.set(id, after);
      if (before !== after) changes.push({ before, after });
    }
    if (!late) this.#counted = events.at(-1)!.position;
    const rows = await this.#count(changes);
    const parts = [
      ...writeRows(rows),
      ...writeNames(added),
      ...writeWrittenOff(events.filter(isWrittenOff)),
    ];
    for (const row of rows) row.stored = row.messages > 0;
    await failpoint("usage.before_commit");
    return parts;
  }

  committed(): void {
    void failpoint("usage.after_commit");
  }

  /** What is counted already of messages that are not remembered, or of all of them when what comes is late: then with that. */
  async #pasts(
    messages: ReadonlyMap<string, readonly LifeEvent[]>,
    late: boolean,
  ): Promise<ReadonlyMap<string, readonly LifeEvent[]>> {
    const { pool, schema } = this.#tools;
    const past = new Map<string, readonly LifeEvent[]>();
    const ids = [...messages].flatMap(([id, [first]]) =>
      late || (first!.type !== "MessageRequested" && this.#lives.get(id) === undefined) ? [id] : [],
    );
    for (let at = 0; at < ids.length; at += streamsAtOnce) {
      const some = ids.slice(at, at + streamsAtOnce);
      const [streams, writtenOff] = await Promise.all([
        this.#context.log.readStreams(some.map((id) => streamOf("message", id))),
        loadWrittenOff(pool, schema, some),
      ]);
      for (const id of some) {
        const events: readonly RecordedEvent[] = streams.get(streamOf("message", id)) ?? [];
        const own = events.filter(isCounted).filter(({ position }) => position <= this.#counted);
        // The wallet's word is not in the message's stream: what comes late of it is not in the table yet.
        const told = late ? messages.get(id)!.filter(({ type }) => type === "FundsWrittenOff") : [];
        past.set(id, [...own, ...(writtenOff.get(id) ?? []), ...told] as readonly LifeEvent[]);
      }
    }
    return past;
  }

  /** The names of the days in which these messages were accepted. */
  async #booksOf(histories: readonly (readonly LifeEvent[])[]): Promise<ReadonlyMap<string, Book>> {
    const books = new Map<string, Book>();
    const unknown = new Map<string, { readonly partner: string; readonly day: number }>();
    for (const event of histories.flat()) {
      if (event.type !== "MessageRequested") continue;
      const { template, tags } = namesOf(event.data);
      if (template === "" && tags.length === 0) continue;
      const partner = event.metadata.partner ?? "";
      const day = dayOf(hourOf(event.data.created_at));
      const name = bookName(partner, day);
      const book = books.get(name) ?? this.#books.get(name);
      if (book === undefined) unknown.set(name, { partner, day });
      else books.set(name, book);
    }
    if (unknown.size > 0) {
      const { pool, schema } = this.#tools;
      for (const [name, book] of await loadBooks(pool, schema, [...unknown.values()])) {
        books.set(name, book);
        this.#books.set(name, book);
      }
    }
    return books;
  }

  /** The rows with what changed of the messages. */
  async #count(changes: readonly Change[]): Promise<readonly Row[]> {
    const rows = new Map<string, Row>();
    const unknown = new Map<string, RowKey>();
    const steps: [name: string, sum: Sum][] = [];
    for (const { keys, sum } of sumsOf(changes))
      for (const key of keys) {
        const name = nameOf(key);
        steps.push([name, sum]);
        if (rows.has(name) || unknown.has(name)) continue;
        const row = this.#rows.get(name);
        if (row === undefined) unknown.set(name, key);
        else rows.set(name, row);
      }
    if (unknown.size > 0) {
      const { pool, schema } = this.#tools;
      for (const row of await loadRows(pool, schema, [...unknown.values()])) {
        const name = nameOf(row.key);
        rows.set(name, row);
        this.#rows.set(name, row);
      }
    }
    for (const [name, sum] of steps) addSum(rows.get(name)!, sum);
    return [...rows.values()];
  }
}

/** What a batch comes to, by the rows in which it counts. */
function sumsOf(
  changes: readonly Change[],
): readonly { readonly keys: readonly RowKey[]; readonly sum: Sum }[] {
  const places = new Map<string, { readonly life: Life; readonly sum: Sum }>();
  const add = (life: Life | undefined, times: 1 | -1): void => {
    if (life === undefined) return;
    const name = placeOf(life);
    let place = places.get(name);
    if (place === undefined) places.set(name, (place = { life, sum: newSum() }));
    count(place.sum, life, times);
  };
  for (const { before, after } of changes) {
    add(before, -1);
    add(after, 1);
  }
  return [...places.values()].flatMap(({ life, sum }) =>
    isNothing(sum) ? [] : [{ keys: keysOf(life), sum }],
  );
}
