import { newId } from "@heliograph/contracts";
import type pg from "pg";
import type { RebuildResult } from "../rebuild.ts";
import { jobTable, type JobTable } from "./long-jobs.ts";

export type RebuildJob = {
  readonly id: string;
  readonly consumer: string;
  readonly verify_only: boolean;
  readonly status: "requested" | "running" | "done" | "failed" | "canceled";
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

/** Their claims, by whoever runs the projector. A result is kept before the end. */
export const rebuildJobs: JobTable<Pick<RebuildJob, "id" | "consumer" | "verify_only">> = jobTable({
  table: "runtime.jobs",
  columns: "id, consumer, verify_only",
  jobOf: (row) => row,
  // Whoever runs one tells how far it is twice a second, and shows every five that it waits for others.
  staleSeconds: 60,
  mostKept: 1_000,
  waiting: "requested",
  by: "consumer",
  fromStart: true,
});

/** Ends one that has not ended, whoever works on it: what is served stays. False when it had. */
export const cancelRebuild = rebuildJobs.cancel;

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
