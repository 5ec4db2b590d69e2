import { failpoint, outlivesSpaces, readEventFlaw, shardOf } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import type pg from "pg";
import { messageOf, pause } from "./faults.ts";
import {
  deleteRows,
  markCleared,
  readEnded,
  readUncleared,
  type EndedSpace,
  type Owner,
} from "./tables/spaces.ts";
import type { Consumer, ServiceContext, SpaceTables } from "./types.ts";
import { endOfSpace, type Unit } from "./source.ts";

type Sifted = {
  /** What is left for the consumer. */
  readonly events: readonly RecordedEvent[];
  readonly ended: readonly EndedSpace[];
};

/** Takes out of what a consumer is given the events of spaces that are over: behind their end there is nobody whom they could concern. */
export class EndedSpaces {
  readonly #consumer: Consumer;
  readonly #ended: Set<string>;
  readonly #isOver: (space: string) => boolean;

  private constructor(
    consumer: Consumer,
    ended: readonly string[],
    isOver: (space: string) => boolean,
  ) {
    this.#consumer = consumer;
    this.#ended = new Set(ended);
    this.#isOver = isOver;
  }

  /** Those whose end the consumer's tables in `schema` have passed. `isOver` knows of more: whoever has effects need not wait for the end in the log. */
  static async read(
    pool: pg.Pool,
    consumer: Consumer,
    schema: string,
    isOver: (space: string) => boolean = () => false,
  ): Promise<EndedSpaces> {
    const ended = consumer.spaces === undefined ? [] : await readEnded(pool, schema);
    return new EndedSpaces(consumer, ended, isOver);
  }

  sift(events: readonly RecordedEvent[]): Sifted {
    if (this.#consumer.spaces === undefined) return { events, ended: [] };
    const ended: EndedSpace[] = [];
    const left = events.filter((event) => {
      if (event.type !== endOfSpace) return this.#concerns(event);
      // One that is damaged ends nothing: whoever asks for it sets it aside.
      if (readEventFlaw(event) !== undefined) return this.#consumer.types.includes(endOfSpace);
      const { space } = event.data;
      this.#ended.add(space);
      ended.push({ space, position: event.position });
      return this.#consumer.types.includes(endOfSpace);
    });
    return { events: left.length === events.length ? events : left, ended };
  }

  #concerns({ stream, metadata: { partner } }: RecordedEvent): boolean {
    if (partner === undefined) return true;
    return (
      (!(this.#ended.size > 0 && this.#ended.has(partner)) && !this.#isOver(partner)) ||
      outlivesSpaces(stream)
    );
  }
}

/** Until then what had begun before the end of a space may still write a row of it. */
const settledAfterMs = 5_000;
const lookAgainMs = 1_000;

/** A unit as the owner of its tables, and how far it is. */
type Cleared = {
  readonly context: Pick<ServiceContext, "pool" | "logger">;
  readonly unit: Unit;
  readonly epoch: number;
  readonly position: () => bigint;
};

/**
 * Deletes the rows of spaces that ended, in the background and for at most half of the time, so that others' events do not wait for a large space; until then nobody can reach them. Which are not
 * cleared stands in a table: whoever comes after a crash goes on. A projector writes nothing of a space behind its end, so going over the tables once is enough; of a reactor work may be under way.
 */
export class Clearing {
  readonly #given: Cleared;
  readonly #closing = new AbortController();
  readonly #seenAt = new Map<string, number>();
  /** Those that were gone over once. */
  readonly #begun = new Set<string>();
  #running: Promise<void> | undefined;
  #woken = false;

  constructor(given: Cleared) {
    this.#given = given;
    this.wake();
  }

  /** Something may have ended. */
  wake(): void {
    if (this.#given.unit.consumer.spaces === undefined || this.#closing.signal.aborted) return;
    this.#woken = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#woken) this.wake();
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { context, unit } = this.#given;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#woken = false;
      try {
        if (!(await this.#clear()) && !this.#woken) return;
      } catch (error) {
        context.logger.warn(
          { consumer: unit.name, error: messageOf(error) },
          "a space could not be cleared",
        );
        await pause(lookAgainMs, signal);
      }
    }
  }

  /** False when nothing is left to be done. */
  async #clear(): Promise<boolean> {
    const { context, unit, epoch } = this.#given;
    const { pool } = context;
    const { consumer, shard, name } = unit;
    const { signal } = this.#closing;
    const ended = (await readUncleared(pool, consumer.schema)).filter(
      ({ space }) => shard === undefined || shardOf(space, shard.count) === shard.index,
    );
    if (ended.length === 0) return false;
    const settled = ended.filter((each) => this.#isSettled(each)).map(({ space }) => space);
    const isNew = ({ space }: EndedSpace): boolean => !this.#begun.has(space);
    const spaces = new Set([...settled, ...ended.filter(isNew).map(({ space }) => space)]);
    if (spaces.size > 0) {
      let at = performance.now();
      for await (const _ of deleteRows(pool, consumer.schema, consumer.spaces!, [...spaces])) {
        await failpoint("runtime.clearing");
        await pause(performance.now() - at, signal);
        if (signal.aborted) return false;
        at = performance.now();
      }
      for (const space of spaces) this.#begun.add(space);
    }
    const marked = await markCleared(pool, consumer.schema, settled, { name, epoch });
    // Some are not settled, or a successor clears what is there now and this one hears soon that it is none any more.
    if (marked < ended.length) await pause(lookAgainMs, signal);
    return true;
  }

  #isSettled({ space, position }: EndedSpace): boolean {
    const { unit, position: reached } = this.#given;
    if (unit.consumer.kind === "projector") return true;
    const at = this.#seenAt.get(space) ?? performance.now();
    this.#seenAt.set(space, at);
    return reached() >= position && performance.now() - at >= settledAfterMs;
  }
}

/** Clears the tables of all spaces that ended, without a pause: for tables that nobody uses yet. */
export async function clearAll(
  pool: pg.Pool,
  schema: string,
  tables: SpaceTables,
  owner: Owner,
): Promise<void> {
  const spaces = (await readUncleared(pool, schema)).map(({ space }) => space);
  if (spaces.length === 0) return;
  for await (const _ of deleteRows(pool, schema, tables, spaces));
  await markCleared(pool, schema, spaces, owner);
}
