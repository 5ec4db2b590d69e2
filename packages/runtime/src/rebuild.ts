import { LogUnavailable, type Page } from "@heliograph/log";
import type pg from "pg";
import { openDeadLetters } from "./dead-letters.ts";
import { pause } from "./faults.ts";
import { commitParts, quoteSchema } from "./parts.ts";
import { prepareConsumer } from "./schema.ts";
import { typesOf } from "./source.ts";
import type { Projector, ServiceContext } from "./types.ts";

export type RebuildResult = {
  readonly position: string;
  readonly events: number;
  readonly seconds: number;
  readonly equal?: boolean;
  readonly differs?: readonly string[];
};

type Options = {
  readonly verifyOnly: boolean;
  readonly signal: AbortSignal;
  readonly onProgress?: (processed: bigint, total: bigint) => void;
};

/** Events read at once by a rebuild: large enough that commits do not count, small enough that memory stays flat. */
const rebuildBatch = 2_000;
/** A rebuild takes hours where the log is long: it waits for a log that is away, but not for ever. */
const logAwayMs = 60_000;
const logRetryMs = 250;

/**
 * Fills `<schema>_next` from position 0 with the projector's own code while the old schema serves, then either compares the two at one position
 * (`verifyOnly`) or swaps them by renaming in one transaction. The live projector is held only for the last few events: its
 * checkpoint row is locked, and after the swap its compare-and-set finds a higher epoch, so it starts again from the new tables.
 */
export async function rebuildProjector(
  context: ServiceContext,
  projector: Projector,
  options: Options,
): Promise<RebuildResult> {
  const pool = context.projectionPool;
  const next = `${projector.schema}_next`;
  const startedAt = performance.now();
  await context.pool.query(`drop schema if exists ${quoteSchema(next)} cascade`);
  await prepareConsumer(context.pool, projector, next);
  const instance = await projector.create({ pool, schema: next, position: 0n });
  // What the live projector had to set aside would stop this one too; a dead letter that was retried with success takes part again.
  const aside = await openDeadLetters(context.pool, projector.name);
  let position = 0n;
  let count = 0;
  let progressAt = 0;

  const read = (after: bigint, until: bigint): Promise<Page> => {
    const room = until - after;
    const limit = room < BigInt(rebuildBatch) ? Number(room) : rebuildBatch;
    const reading = context.log.readAll({ after, limit, ...typesOf(projector) });
    // A failure is met where the batch is awaited; until then it must not count as unhandled.
    reading.catch(() => undefined);
    return reading;
  };

  /** Waits for a log that is away so long at most. */
  const advance = async (until: bigint, awayMs: number): Promise<void> => {
    let reading = position < until ? read(position, until) : undefined;
    let heardAt = performance.now();
    while (reading !== undefined) {
      options.signal.throwIfAborted();
      let batch: Page;
      try {
        batch = await reading;
      } catch (error) {
        if (!(error instanceof LogUnavailable) || performance.now() - heardAt >= awayMs)
          throw error;
        await pause(logRetryMs, options.signal);
        reading = read(position, until);
        continue;
      }
      heardAt = performance.now();
      const to = batch.position > until ? until : batch.position;
      // PostgreSQL reads the next batch while this one is projected and written.
      reading = to < until ? read(to, until) : undefined;
      const events = batch.events.filter(
        (event) => event.position <= to && !aside.has(event.position),
      );
      const parts = events.length === 0 ? [] : await instance.project(events);
      await commitParts(
        pool,
        { schema: next, name: projector.name, from: position, to, epoch: 0 },
        parts,
      );
      position = to;
      count += events.length;
      if (performance.now() - progressAt > 500) {
        progressAt = performance.now();
        options.onProgress?.(position, until);
      }
    }
  };

  try {
    // Up to where the live projector is, never beyond: rows cannot be taken back.
    const { rows } = await context.pool.query(
      `select position::text from ${quoteSchema(projector.schema)}.checkpoint where name = $1`,
      [projector.name],
    );
    let until = BigInt(rows[0].position as string);
    for (;;) {
      await advance(until, logAwayMs);
      const outcome = await finish();
      if (typeof outcome !== "bigint") return outcome;
      until = outcome;
    }
  } finally {
    await context.pool
      .query(`drop schema if exists ${quoteSchema(next)} cascade`)
      .catch(() => undefined);
  }

  /** Gives the position to go on to when there is more to do than the live projector should wait for, or the log cannot be read while it waits. */
  async function finish(): Promise<RebuildResult | bigint> {
    options.signal.throwIfAborted();
    const client = await context.pool.connect();
    let broken = false;
    let goal: bigint | undefined;
    try {
      await client.query("begin");
      const { rows } = await client.query(
        `select position::text, epoch from ${quoteSchema(projector.schema)}.checkpoint where name = $1 for update`,
        [projector.name],
      );
      const live = BigInt(rows[0].position as string);
      if (live < position)
        throw new Error(
          `${projector.name} was rebuilt meanwhile: its checkpoint went back to ${live}`,
        );
      if (context.log.span(position, live) > rebuildBatch) {
        await client.query("rollback");
        return live;
      }
      goal = live;
      await advance(live, 0);
      goal = undefined;
      const seconds = (performance.now() - startedAt) / 1000;
      const outcome = {
        position: String(position),
        events: count,
        seconds: Math.round(seconds * 1000) / 1000,
      };
      if (options.verifyOnly) {
        const differs = await differences(client, projector.schema, next);
        await client.query("commit");
        return { ...outcome, equal: differs.length === 0, differs };
      }
      await client.query(
        `update ${quoteSchema(next)}.checkpoint set epoch = $2 + 1, updated_at = now() where name = $1`,
        [projector.name, rows[0].epoch],
      );
      const old = `${projector.schema}_old`;
      await client.query(`drop schema if exists ${quoteSchema(old)} cascade`);
      await client.query(
        `alter schema ${quoteSchema(projector.schema)} rename to ${quoteSchema(old)}`,
      );
      await client.query(
        `alter schema ${quoteSchema(next)} rename to ${quoteSchema(projector.schema)}`,
      );
      await client.query("commit");
      await context.pool.query(`drop schema if exists ${quoteSchema(old)} cascade`);
      return outcome;
    } catch (error) {
      await client.query("rollback").catch(() => (broken = true));
      if (goal !== undefined && error instanceof LogUnavailable) return goal;
      throw error;
    } finally {
      client.release(broken);
    }
  }
}

/** Tables whose rows differ between two schemas, compared by a hash that does not depend on the order of rows. */
async function differences(
  client: pg.PoolClient,
  left: string,
  right: string,
): Promise<readonly string[]> {
  const { rows } = await client.query(
    "select table_name from information_schema.tables where table_schema = $1 and table_name <> 'checkpoint' order by 1",
    [right],
  );
  const differing: string[] = [];
  for (const row of rows) {
    const hashes = [];
    for (const schema of [left, right]) {
      const { rows: hashed } = await client.query(
        `select md5(coalesce(string_agg(md5(t::text), '' order by md5(t::text)), '')) as hash, count(*)::text from ${quoteSchema(schema)}."${row.table_name as string}" t`,
      );
      hashes.push(`${hashed[0].hash as string}/${hashed[0].count as string}`);
    }
    if (hashes[0] !== hashes[1]) differing.push(row.table_name as string);
  }
  return differing;
}
