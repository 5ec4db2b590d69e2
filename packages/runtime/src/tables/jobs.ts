import { newId } from "@heliograph/contracts";
import type pg from "pg";
import type { RebuildResult } from "../rebuild.ts";

export type RebuildJob = {
  readonly id: string;
  readonly consumer: string;
  readonly verify_only: boolean;
  readonly status: "requested" | "running" | "done" | "failed";
  readonly processed: number;
  readonly total: number;
  readonly result: RebuildResult | null;
  readonly error: string | null;
  readonly created_at: string;
  readonly updated_at: string;
};

/** Asks whichever process runs the projector to rebuild it; gives the job of that id, an earlier one where there is one. */
export async function requestRebuild(
  pool: pg.Pool,
  consumer: string,
  verifyOnly: boolean,
  id: string = newId("prl"),
): Promise<Pick<RebuildJob, "id" | "consumer" | "verify_only">> {
  const { rows } = await pool.query(
    `insert into runtime.jobs as job (id, consumer, verify_only) values ($1, $2, $3)
      on conflict (id) do update set id = excluded.id returning job.id, job.consumer, job.verify_only`,
    [id, consumer, verifyOnly],
  );
  return rows[0];
}

/** Takes back a job that nobody has begun; false when somebody has. */
export async function withdrawRebuild(pool: pg.Pool, id: string): Promise<boolean> {
  const { rowCount } = await pool.query(
    "delete from runtime.jobs where id = $1 and status = 'requested'",
    [id],
  );
  return rowCount === 1;
}

export async function readRebuild(pool: pg.Pool, id: string): Promise<RebuildJob | undefined> {
  const iso = (column: string): string =>
    `to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as ${column}`;
  const { rows } = await pool.query(
    `select id, consumer, verify_only, status, processed::float8, total::float8, result, error, ${iso("created_at")}, ${iso("updated_at")} from runtime.jobs where id = $1`,
    [id],
  );
  return rows[0] as RebuildJob | undefined;
}

/** A job whose runner has shown no progress for a minute is taken again: its process died. */
export async function claimJob(
  pool: pg.Pool,
  consumers: readonly string[],
): Promise<{ id: string; consumer: string; verifyOnly: boolean } | undefined> {
  if (consumers.length === 0) return undefined;
  const { rows } = await pool.query(
    `update runtime.jobs set status = 'running', updated_at = now() where id = (
       select id from runtime.jobs where consumer = any($1) and (status = 'requested' or (status = 'running' and updated_at < now() - interval '1 minute'))
       order by created_at limit 1 for update skip locked) returning id, consumer, verify_only`,
    [consumers],
  );
  return rows[0]
    ? {
        id: rows[0].id as string,
        consumer: rows[0].consumer as string,
        verifyOnly: rows[0].verify_only as boolean,
      }
    : undefined;
}

export async function progressJob(
  pool: pg.Pool,
  id: string,
  processed: bigint,
  total: bigint,
): Promise<void> {
  await pool.query(
    "update runtime.jobs set processed = $2, total = $3, updated_at = now() where id = $1",
    [id, processed, total],
  );
}

/** Shows that somebody is there for jobs that may wait for minutes until others have ended: his own, and those that nobody has begun of consumers that are his. */
export const renewJobs = (
  pool: pg.Pool,
  ids: readonly string[],
  consumers: readonly string[],
): Promise<unknown> =>
  pool.query(
    `update runtime.jobs set updated_at = now()
      where (status = 'running' and id = any($1)) or (status = 'requested' and consumer = any($2))`,
    [ids, consumers],
  );

export async function finishJob(
  pool: pg.Pool,
  id: string,
  result: RebuildResult | undefined,
  error?: string,
): Promise<void> {
  await pool.query(
    "update runtime.jobs set status = $2, result = $3, error = $4, updated_at = now() where id = $1",
    [
      id,
      error === undefined ? "done" : "failed",
      result === undefined ? null : JSON.stringify(result),
      error ?? null,
    ],
  );
}
