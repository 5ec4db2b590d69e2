import { randomUUID } from "node:crypto";
import type pg from "pg";
import type { Logger } from "pino";
import { isMachinery } from "./faults.ts";
import { keepLooking, type Looking } from "./looking.ts";
import type { JobEnd, JobTable } from "./tables/long-jobs.ts";

/** For those whose process is gone, and those that were to go on later: who asks for a new one wakes the process that took the call. */
const lookEveryMs = 15_000;

/** Shows that somebody runs a job, with what of it is to be kept; says by false that it is to stop. */
export type NoteJob = (kept?: Readonly<Record<string, unknown>>) => Promise<boolean>;

/** Runs the jobs of a table, one after the other, beside whatever this process serves. `run` gives how one ended, or when it is to go on: at once, where it is somebody else's, was canceled, or this process closes. */
export function runJobs<Job extends { readonly id: string }>({
  pool,
  table,
  what,
  logger,
  run,
}: {
  readonly pool: pg.Pool;
  readonly table: JobTable<Job>;
  /** What one is, for the log. */
  readonly what: string;
  readonly logger: Logger;
  readonly run: (
    job: Job,
    note: NoteJob,
    signal: AbortSignal,
  ) => Promise<JobEnd | { readonly afterMs: number }>;
}): Looking {
  const owner = randomUUID();

  async function look(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const job = await table.claim(pool, owner);
      if (job === undefined) return;
      const { id } = job;
      try {
        const end = await run(job, (kept) => table.note(pool, id, owner, kept), signal);
        if ("afterMs" in end) await table.giveBack(pool, id, owner, end.afterMs);
        else await table.finish(pool, id, owner, end);
      } catch (error) {
        // Trouble with the database or the log passes: whoever looks next takes it up where it was.
        if (isMachinery(error)) {
          await table.giveBack(pool, id, owner, 0).catch(() => undefined);
          throw error;
        }
        logger.error({ err: error, [what]: id }, `a ${what} failed`);
        const told = "it failed by a fault of the platform, which its log names";
        await table.finish(pool, id, owner, { error: told });
      }
    }
  }

  return keepLooking(look, lookEveryMs, (error) =>
    logger.warn({ err: error }, `${what}s wait for what is away`),
  );
}
