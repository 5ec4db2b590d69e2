import { LogUnavailable, type Page } from "@heliograph/log";
import pg from "pg";
import { openDeadLetters } from "./tables/dead-letters.ts";
import { pause } from "./faults.ts";
import { commitParts } from "./tables/parts.ts";
import { differences, dropSchema, readCheckpoint, swapSchemas } from "./tables/rebuild.ts";
import { rowDifferences, type TableDifference } from "./tables/row-differences.ts";
import { prepareConsumer } from "./tables/schema.ts";
import { concerning, typesOf } from "./source.ts";
import { clearAll, EndedSpaces } from "./spaces.ts";
import { noteEnded, readUncleared } from "./tables/spaces.ts";
import type { Projector, ProjectorInstance, ServiceContext } from "./types.ts";

export type RebuildResult = {
  readonly position: string;
  readonly events: number;
  readonly seconds: number;
  readonly equal?: boolean;
  readonly differs?: readonly string[];
  /** Of a shadow. */
  readonly rows?: readonly TableDifference[];
};

export type RebuildOptions = {
  readonly verifyOnly: boolean;
  /** With `verifyOnly`: fills tables of its own, `<schema>_shadow`, and tells how their rows differ from those that are served, whichever version those are of. */
  readonly shadow?: true;
  readonly signal: AbortSignal;
  readonly onProgress?: (processed: bigint, total: bigint) => void;
  /** Of several rebuilds: their ends come one after the other. */
  readonly inTurn?: <Result>(work: () => Promise<Result>) => Promise<Result>;
  /** In the transaction that puts the new tables in the place of what is served: false when nobody wants them any more, and then nothing changes. */
  readonly settle?: (client: pg.ClientBase, result: RebuildResult) => Promise<boolean>;
};

/** Events read at once by a rebuild: large enough that commits do not count, small enough that memory stays flat. */
export const rebuildBatch = 2_000;
/** A rebuild takes hours where the log is long: it waits for a log that is away, but not for ever. */
const logAwayMs = 60_000;
const logRetryMs = 250;
const progressEveryMs = 500;
const clearingRetryMs = 50;

/**
 * Fills `<schema>_next` from position 0 with the projector's own code while the old schema serves, then either compares the two at one position
 * (`verifyOnly`) or swaps them by renaming in one transaction. The live projector is held only for the last few events: its
 * checkpoint row is locked, and after the swap its compare-and-set finds a higher epoch, so it starts again from the new tables.
 */
export async function rebuildProjector(
  context: ServiceContext,
  projector: Projector,
  options: RebuildOptions,
): Promise<RebuildResult> {
  const next = nextOf(projector, options);
  await dropSchema(context.pool, next);
  await prepareConsumer(context.pool, projector, next);
  const instance = await projector.create({
    pool: context.projectionPool,
    schema: next,
    position: 0n,
  });
  const spaces = await EndedSpaces.read(context.pool, projector, next);
  // What the live projector had to set aside would stop this one too; a dead letter that was retried with success takes part again.
  const aside = await openDeadLetters(context.pool, projector.name);
  const rebuild = new Rebuild(context, projector, options, instance, spaces, aside);
  try {
    return await rebuild.run();
  } finally {
    await dropSchema(context.pool, next).catch(() => undefined);
  }
}

/** A shadow stands beside a rebuild, which may begin at any time. */
const nextOf = ({ schema }: Projector, { shadow }: RebuildOptions): string =>
  `${schema}_${shadow ? "shadow" : "next"}`;

/** One rebuild under way: how far `<schema>_next` is filled. */
class Rebuild {
  readonly #context: ServiceContext;
  readonly #projector: Projector;
  readonly #next: string;
  readonly #options: RebuildOptions;
  readonly #instance: ProjectorInstance;
  readonly #spaces: EndedSpaces;
  readonly #aside: ReadonlySet<bigint>;
  readonly #startedAt = performance.now();
  #position = 0n;
  #count = 0;
  #progressAt = 0;

  constructor(
    context: ServiceContext,
    projector: Projector,
    options: RebuildOptions,
    instance: ProjectorInstance,
    spaces: EndedSpaces,
    aside: ReadonlySet<bigint>,
  ) {
    this.#context = context;
    this.#projector = projector;
    this.#next = nextOf(projector, options);
    this.#options = options;
    this.#instance = instance;
    this.#spaces = spaces;
    this.#aside = aside;
  }

  /** Up to where the live projector is, never beyond: rows cannot be taken back. */
  async run(): Promise<RebuildResult> {
    const { name, schema } = this.#projector;
    const inTurn = this.#options.inTurn ?? ((work) => work());
    let until = (await readCheckpoint(this.#context.pool, schema, name)).position;
    for (;;) {
      await this.#advance(until, logAwayMs);
      const outcome = await inTurn(() => this.#finish());
      if (typeof outcome !== "bigint") return outcome;
      until = outcome;
    }
  }

  #read(after: bigint, until: bigint): Promise<Page> {
    const room = until - after;
    const limit = room < BigInt(rebuildBatch) ? Number(room) : rebuildBatch;
    const reading = this.#context.log
      .readAll({ after, limit, ...typesOf(this.#projector) })
      .then((page) => ({ ...page, events: concerning(this.#projector, page.events) }));
    // A failure is met where the batch is awaited; until then it must not count as unhandled.
    reading.catch(() => undefined);
    return reading;
  }

  /** Fills the tables up to a position. Waits for a log that is away so long at most. */
  async #advance(until: bigint, awayMs: number): Promise<void> {
    let reading = this.#position < until ? this.#read(this.#position, until) : undefined;
    let heardAt = performance.now();
    while (reading !== undefined) {
      this.#options.signal.throwIfAborted();
      let batch: Page;
      try {
        batch = await reading;
      } catch (error) {
        if (!(error instanceof LogUnavailable) || performance.now() - heardAt >= awayMs)
          throw error;
        await pause(logRetryMs, this.#options.signal);
        reading = this.#read(this.#position, until);
        continue;
      }
      heardAt = performance.now();
      const to = batch.position > until ? until : batch.position;
      // PostgreSQL reads the next batch while this one is projected and written.
      reading = to < until ? this.#read(to, until) : undefined;
      await this.#write(batch, to);
      this.#report(until);
    }
  }

  async #write(batch: Page, to: bigint): Promise<void> {
    const events = batch.events.filter(
      (event) => event.position <= to && !this.#aside.has(event.position),
    );
    const { events: left, ended } = this.#spaces.sift(events);
    const parts = left.length === 0 ? [] : await this.#instance.project(left);
    const at = {
      schema: this.#next,
      name: this.#projector.name,
      from: this.#position,
      to,
      epoch: 0,
    };
    await commitParts(this.#context.projectionPool, at, [...parts, ...noteEnded(ended)]);
    this.#position = to;
    this.#count += events.length;
  }

  #report(until: bigint): void {
    if (performance.now() - this.#progressAt <= progressEveryMs) return;
    this.#progressAt = performance.now();
    this.#options.onProgress?.(this.#position, until);
  }

  /** Gives the position to go on to when there is more to do than the live projector should wait for, or the log cannot be read while it waits. */
  async #finish(): Promise<RebuildResult | bigint> {
    this.#options.signal.throwIfAborted();
    const { name, schema } = this.#projector;
    // Most of it before anybody waits.
    if (this.#options.verifyOnly) await this.#isClear(this.#context.pool);
    const client = await this.#context.pool.connect();
    const old = `${schema}_old`;
    let broken = false;
    let goal: bigint | undefined;
    try {
      await client.query("begin");
      const live = await readCheckpoint(client, schema, name, true);
      if (live.position < this.#position)
        throw new Error(
          `${name} was rebuilt meanwhile: its checkpoint went back to ${live.position}`,
        );
      if (this.#context.log.span(this.#position, live.position) > rebuildBatch) {
        await client.query("rollback");
        return live.position;
      }
      goal = live.position;
      await this.#advance(goal, 0);
      if (this.#options.verifyOnly && !(await this.#isClear(client))) {
        await client.query("rollback");
        await pause(clearingRetryMs, this.#options.signal);
        return goal;
      }
      goal = undefined;
      if (this.#options.shadow) return await this.#compareBeside(client);
      const differs = this.#options.verifyOnly
        ? await differences(client, schema, this.#next)
        : undefined;
      if (differs === undefined) {
        const isWanted = (await this.#options.settle?.(client, this.#outcome())) ?? true;
        if (!isWanted) throw new Error("it was canceled");
        await swapSchemas(client, { schema, next: this.#next, old }, name, live.epoch);
      }
      await client.query("commit");
      if (differs !== undefined)
        return { ...this.#outcome(), equal: differs.length === 0, differs };
      await dropSchema(this.#context.pool, old);
      return this.#outcome();
    } catch (error) {
      await client.query("rollback").catch(() => (broken = true));
      if (goal !== undefined && error instanceof LogUnavailable) return goal;
      throw error;
    } finally {
      client.release(broken);
    }
  }

  /** Rows of spaces that ended go in the background: two schemas are compared when none is left in either. */
  async #isClear(db: Parameters<typeof readUncleared>[0]): Promise<boolean> {
    const { name, schema, spaces } = this.#projector;
    if (spaces === undefined) return true;
    const own = { name, epoch: 0 };
    await clearAll(this.#context.projectionPool, this.#next, spaces, own);
    return (await readUncleared(db, schema)).length === 0;
  }

  /** Looks at both schemas as they are at this moment, and lets the live projector go on meanwhile. */
  async #compareBeside(holding: pg.ClientBase): Promise<RebuildResult> {
    // A session of its own: to compare takes longer than any statement of a service may.
    const reader = new pg.Client(this.#context.connection);
    reader.on("error", () => undefined);
    await reader.connect();
    try {
      await reader.query("begin isolation level repeatable read read only");
      // What is read first is what all of it is read as of.
      await readCheckpoint(reader, this.#next, this.#projector.name);
      await holding.query("commit");
      const rows = await rowDifferences(reader, this.#projector.schema, this.#next);
      return { ...this.#outcome(), equal: rows.length === 0, rows };
    } finally {
      await reader.end();
    }
  }

  #outcome(): RebuildResult {
    const seconds = Math.round(performance.now() - this.#startedAt) / 1000;
    return { position: String(this.#position), events: this.#count, seconds };
  }
}
