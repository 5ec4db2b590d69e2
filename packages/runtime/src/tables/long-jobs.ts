import type pg from "pg";
import { inTransaction } from "./transaction.ts";

/** Ends those that take their process along each time. */
const mostTries = 5;

export type JobStatus = "queued" | "running" | "done" | "failed" | "canceled";
/** How a job ended; `error` is for whoever asked for it. */
export type JobEnd = { readonly complete: boolean } | { readonly error: string };

/** Long jobs in a table: whoever has claimed one shows itself until it gives it back or ends it. */
export type JobTable<Job> = {
  /** Takes the oldest that waits and may go on, or whose runner is gone; of a table with `by`, one of `among`. */
  claim(pool: pg.Pool, owner: string, among?: readonly string[]): Promise<Job | undefined>;
  /** Shows that somebody still runs it, with what of it is to be kept, by columns. False when it is not the owner's any more: it was canceled, or another process has taken it. */
  note(
    db: Db,
    id: string,
    owner: string,
    kept?: Readonly<Record<string, unknown>>,
  ): Promise<boolean>;
  /** Lets the next process that looks after that time go on with it. */
  giveBack(pool: pg.Pool, id: string, owner: string, afterMs: number): Promise<unknown>;
  /** Ends it, and forgets the oldest of those that ended. False when it is not the owner's any more. */
  finish(db: Db, id: string, owner: string, end: JobEnd): Promise<boolean>;
  /** Ends one that has not ended, whoever runs it: false when it had. Its runner stops when it next shows itself; of a table with `by` no other of the same is begun before it has let go. */
  cancel(pool: pg.Pool, id: string): Promise<boolean>;
  /** Tells that one that was canceled is not worked on any more. */
  letGo(pool: pg.Pool, id: string, owner: string): Promise<unknown>;
};
/** A pool, or the session of a transaction that the change belongs to. */
type Db = Pick<pg.ClientBase, "query">;

type JobTableOptions<Job> = {
  readonly table: string;
  /** What whoever claims a job is given, and how a row of it is one. */
  readonly columns: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- a row as the driver gives it
  readonly jobOf: (row: any) => Job;
  /** Whoever has not shown itself for so long is gone. */
  readonly staleSeconds: number;
  /** Of those that ended, the newest are kept. */
  readonly mostKept: number;
  /** One at a time, however many processes look. */
  readonly alone?: boolean;
  /** What its rows call one that waits; default `queued`. */
  readonly waiting?: string;
  /** The column that tells which process can run one: whoever claims names those that are his. */
  readonly by?: string;
  /** One that is taken up again begins at its start: what it keeps is no way that it has gone. */
  readonly fromStart?: boolean;
};

function claimIn<Job>({
  table,
  columns,
  jobOf,
  staleSeconds,
  alone = false,
  waiting = "queued",
  by,
}: JobTableOptions<Job>): JobTable<Job>["claim"] {
  const stale = `updated_at < now() - interval '${staleSeconds} seconds'`;
  const open = alone
    ? `not exists (select from ${table} where status = 'running' and not (${stale}))`
    : `(status = '${waiting}' or ${stale})`;
  // Two of the same would stand in each other's way: one that was canceled still has its owner until he has let go.
  const own =
    by === undefined
      ? ""
      : `and ${by} = any($2::text[]) and not exists (select from ${table} other where other.${by} = ${table}.${by} and other.id <> ${table}.id
          and other.owner is not null and other.updated_at >= now() - interval '${staleSeconds} seconds')`;
  const isOpen = `select from ${table} where status in ('${waiting}', 'running') limit 1`;
  return async (pool, owner, among = []) => {
    if (by !== undefined && among.length === 0) return undefined;
    if ((await pool.query(isOpen)).rowCount === 0) return undefined;
    return inTransaction(pool, async (client) => {
      if (alone || by !== undefined)
        await client.query("select pg_advisory_xact_lock(hashtextextended($1, 7041776))", [
          `heliograph/${table}`,
        ]);
      await client.query(
        `update ${table} set status = 'failed', error = 'it was begun ${mostTries} times, and its process ended each time', owner = null, finished_at = now()
          where status = 'running' and tries >= ${mostTries} and ${stale}`,
      );
      const { rows } = await client.query(
        `update ${table} set status = 'running', owner = $1, tries = tries + 1, updated_at = now() where id = (
          select id from ${table} where finished_at is null and status in ('${waiting}', 'running') and coalesce(not_before <= now(), true) and ${open} ${own}
          order by created_at, id limit 1 for update skip locked) returning ${columns}`,
        by === undefined ? [owner] : [owner, among],
      );
      return rows[0] && jobOf(rows[0]);
    });
  };
}

/**
 * A table of jobs has, beside what they are about, `id`, `status` (`JobStatus`), `owner uuid`, `tries int`, how many times it was begun since it last went on, `complete boolean`, `error text`, and the times `created_at`, `updated_at`, `not_before` and
 * `finished_at`.
 */
export function jobTable<Job>(options: JobTableOptions<Job>): JobTable<Job> {
  const { table, mostKept, waiting = "queued", fromStart = false } = options;
  const mine = "where id = $1 and owner = $2 and status = 'running'";
  const changed = async (db: Db, change: string, values: readonly unknown[]): Promise<boolean> =>
    (await db.query(`update ${table} set ${change}`, [...values])).rowCount === 1;

  return {
    claim: claimIn(options),

    note(db, id, owner, kept) {
      if (kept === undefined) return changed(db, `updated_at = now() ${mine}`, [id, owner]);
      const columns = Object.keys(kept).map((name, index) => `${name} = $${index + 3}`);
      if (!fromStart) columns.push("tries = 1");
      const change = `${columns.join(", ")}, updated_at = now() ${mine}`;
      return changed(db, change, [id, owner, ...Object.values(kept)]);
    },

    giveBack: (pool, id, owner, afterMs) =>
      changed(
        pool,
        `status = '${waiting}', owner = null, tries = 0, not_before = now() + $3 * interval '1 millisecond' ${mine}`,
        [id, owner, afterMs],
      ),

    async finish(db, id, owner, end) {
      const { complete, error } = { complete: null, error: null, ...end };
      const isEnded = await changed(
        db,
        `status = $3, error = $4, complete = $5, owner = null, finished_at = now() ${mine}`,
        [id, owner, error === null ? "done" : "failed", error, complete],
      );
      await db.query(
        `delete from ${table} where id in (select id from ${table} where finished_at is not null order by created_at desc, id desc offset ${mostKept})`,
      );
      return isEnded;
    },

    cancel: (pool, id) =>
      changed(
        pool,
        `status = 'canceled', updated_at = now(), finished_at = now() where id = $1 and status in ('${waiting}', 'running')`,
        [id],
      ),

    letGo: (pool, id, owner) =>
      changed(pool, "owner = null where id = $1 and owner = $2 and status = 'canceled'", [
        id,
        owner,
      ]),
  };
}
