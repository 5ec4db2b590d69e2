import type { EventLog, Page, ReadAllOptions } from "@heliograph/log";
import { rebuildBatch, type RebuildOptions } from "./rebuild.ts";
import { typesOf } from "./source.ts";
import type { Projector, ServiceContext } from "./types.ts";

/** Pages that are kept for those that come later: 16,000 events. */
const keptPages = 8;
/** So long whoever is ahead waits for whoever is behind. One that takes longer, since it compares its tables say, is left behind and reads for itself what is no longer kept. */
const patienceMs = 500;

/** What one of several that are rebuilt at once is rebuilt with. */
export type Together = {
  readonly context: ServiceContext;
  readonly inTurn: NonNullable<RebuildOptions["inTurn"]>;
};

/**
 * Rebuilds several projectors at once, by `work` for each, and reads the log once for all of them: to read and parse an event costs about what it costs to project it, and while one waits for
 * its commit the others work. Their ends come one after the other, since each holds a connection of the pool and needs another. Gives what became of each, in order.
 */
export function rebuildTogether<Result>(
  context: ServiceContext,
  projectors: readonly Projector[],
  work: (projector: Projector, together: Together) => Promise<Result>,
  waitMs: number = patienceMs,
): Promise<readonly PromiseSettledResult<Result>[]> {
  const pages = new SharedPages(context.log, unionOf(projectors), waitMs);
  const inTurn = newTurns();
  return Promise.allSettled(
    projectors.map(async (projector) => {
      const { readAll, leave } = pages.join();
      const log: EventLog = { ...context.log, readAll };
      try {
        return await work(projector, { context: { ...context, log }, inTurn });
      } finally {
        leave();
      }
    }),
  );
}

function newTurns(): Together["inTurn"] {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}

type Types = Pick<ReadAllOptions, "types">;

/** Undefined types are all of them. */
function unionOf(projectors: readonly Projector[]): Types {
  const types = projectors.map((projector) => typesOf(projector).types);
  return types.includes(undefined) ? {} : { types: [...new Set(types.flatMap((each) => each!))] };
}

type Reader = { after: bigint };

/** Pages of the log that several read one after the other, from the same start and in the same steps. */
class SharedPages {
  readonly #log: EventLog;
  readonly #types: Types;
  readonly #waitMs: number;
  readonly #pages = new Map<bigint, Promise<Page>>();
  readonly #readers = new Set<Reader>();
  #moved = Promise.withResolvers<void>();

  constructor(log: EventLog, types: Types, waitMs: number) {
    this.#log = log;
    this.#types = types;
    this.#waitMs = waitMs;
  }

  join(): { readonly readAll: EventLog["readAll"]; leave(): void } {
    const reader: Reader = { after: 0n };
    this.#readers.add(reader);
    const readAll = async (options: ReadAllOptions): Promise<Page> => {
      const { after, limit, types } = options;
      // The last events before an end of its own, which no other has.
      if (limit < rebuildBatch) return this.#log.readAll(options);
      this.#readers.add(reader);
      reader.after = after;
      this.#wake();
      const page = await this.#page(after);
      if (types === undefined) return page;
      const wanted = new Set<string>(types);
      return { ...page, events: page.events.filter(({ type }) => wanted.has(type)) };
    };
    return {
      readAll: readAll as EventLog["readAll"],
      leave: () => {
        this.#readers.delete(reader);
        this.#wake();
      },
    };
  }

  async #page(after: bigint): Promise<Page> {
    while (!this.#pages.has(after) && this.#pages.size >= keptPages) await this.#makeRoom();
    const known = this.#pages.get(after);
    if (known !== undefined) return known;
    const page = this.#log.readAll({ after, limit: rebuildBatch, ...this.#types });
    this.#pages.set(after, page);
    page.catch(() => this.#pages.delete(after));
    return page;
  }

  /** Drops the oldest page once nobody is to read it any more. */
  async #makeRoom(): Promise<void> {
    const [oldest] = this.#pages.keys();
    const behind = [...this.#readers].filter(({ after }) => after <= oldest!);
    if (behind.length === 0) {
      this.#pages.delete(oldest!);
      return;
    }
    const patience = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => patience.resolve(true), this.#waitMs);
    const late = await Promise.race([this.#moved.promise.then(() => false), patience.promise]);
    clearTimeout(timer);
    if (late) for (const reader of behind) this.#readers.delete(reader);
  }

  #wake(): void {
    this.#moved.resolve();
    this.#moved = Promise.withResolvers();
  }
}
