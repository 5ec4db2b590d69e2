import type { OwnTables } from "@heliograph/runtime";
import type pg from "pg";

/** Copies of a partner's past into its sandbox, in the sandbox's database. `skipped` is JSON that nobody queries. */
export const forkTables: OwnTables = {
  schema: "forks",
  migrations: [
    `create table forks.runs (
  id text primary key,
  account text not null,
  space text not null,
  from_time text not null,
  to_time text not null,
  after_position bigint not null,
  to_position bigint not null,
  reached bigint not null,
  status text not null default 'queued' check (status in ('queued', 'running', 'done', 'failed', 'canceled')),
  owner uuid,
  tries int not null default 0, -- since it last went on
  seen bigint not null default 0,
  copied bigint not null default 0,
  skipped text not null default '{}',
  complete boolean, -- false: it ended at its most messages
  error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  finished_at timestamptz
);
create unique index on forks.runs (account) where finished_at is null;
create index on forks.runs (created_at) where finished_at is null;`,
    `alter table forks.runs add column scanned bigint not null default 0, add column not_before timestamptz;`,
  ],
};

/** Whoever runs one shows itself with whatever it sends and before each wait of some seconds: after so long it is gone. */
const staleSeconds = 60;
/** Ends those that take their process along each time. */
const mostTries = 5;
/** Of those that ended, the newest are kept. */
const mostKept = 1_000;

export type Counts = {
  /** Messages of all partners that were read. */
  readonly scanned: number;
  readonly seen: number;
  readonly copied: number;
  readonly skipped: Readonly<Record<string, number>>;
};
export type Fork = Counts & {
  readonly id: string;
  readonly account: string;
  readonly space: string;
  readonly from_time: string;
  readonly to_time: string;
  readonly after: bigint;
  readonly to: bigint;
  readonly reached: bigint;
  readonly status: "queued" | "running" | "done" | "failed" | "canceled";
  readonly complete: boolean | null;
  readonly error: string | null;
  readonly created_at: Date;
  readonly finished_at: Date | null;
};

const columns =
  "id, account, space, from_time, to_time, after_position::text, to_position::text, reached::text, status, scanned::float8 as scanned, seen::float8 as seen, copied::float8 as copied, skipped, complete, error, created_at, finished_at";

// oxlint-disable-next-line typescript/no-explicit-any -- a row as the driver gives it
const rowOf = ({ after_position, to_position, reached, skipped, ...row }: any): Fork => ({
  ...row,
  after: BigInt(after_position),
  to: BigInt(to_position),
  reached: BigInt(reached),
  skipped: JSON.parse(skipped),
});

/** Stores one, or finds the one of that id; undefined where another of the account has not ended. */
export async function addFork(
  pool: pg.Pool,
  fork: Pick<Fork, "id" | "account" | "space" | "from_time" | "to_time" | "after" | "to">,
): Promise<Fork | undefined> {
  const { id, account, space, from_time, to_time, after, to } = fork;
  await pool.query(
    `insert into forks.runs (id, account, space, from_time, to_time, after_position, to_position, reached)
      values ($1, $2, $3, $4, $5, $6, $7, $6) on conflict do nothing`,
    [id, account, space, from_time, to_time, after, to],
  );
  return readFork(pool, id);
}

export async function readFork(pool: pg.Pool, id: string): Promise<Fork | undefined> {
  const { rows } = await pool.query(`select ${columns} from forks.runs where id = $1`, [id]);
  return rows[0] && rowOf(rows[0]);
}

/** Ends one that has not ended: false when it had. Its runner sends nothing more, but for what is on its way that moment. */
export async function cancelFork(pool: pg.Pool, id: string): Promise<boolean> {
  const { rowCount } = await pool.query(
    "update forks.runs set status = 'canceled', owner = null, finished_at = now() where id = $1 and finished_at is null",
    [id],
  );
  return rowCount === 1;
}

/** Takes the oldest that waits and may go on, or whose runner is gone. */
export async function claimFork(pool: pg.Pool, owner: string): Promise<Fork | undefined> {
  const stale = `updated_at < now() - interval '${staleSeconds} seconds'`;
  await pool.query(
    `update forks.runs set status = 'failed', error = 'it was begun ${mostTries} times, and its process ended each time', owner = null, finished_at = now()
      where status = 'running' and tries >= ${mostTries} and ${stale}`,
  );
  const { rows } = await pool.query(
    `update forks.runs set status = 'running', owner = $1, tries = tries + 1, updated_at = now() where id = (
      select id from forks.runs where finished_at is null and ((status = 'queued' and coalesce(not_before <= now(), true)) or (status = 'running' and ${stale}))
      order by created_at, id limit 1 for update skip locked) returning ${columns}`,
    [owner],
  );
  return rows[0] && rowOf(rows[0]);
}

/** How far it is. False when it is not the owner's any more: it was canceled, or another process has taken it. */
export async function noteFork(
  pool: pg.Pool,
  id: string,
  owner: string,
  reached: bigint,
  { scanned, seen, copied, skipped }: Counts,
): Promise<boolean> {
  const { rowCount } = await pool.query(
    "update forks.runs set reached = $3, seen = $4, copied = $5, skipped = $6, scanned = $7, tries = 1, updated_at = now() where id = $1 and owner = $2 and status = 'running'",
    [id, owner, reached, seen, copied, JSON.stringify(skipped), scanned],
  );
  return rowCount === 1;
}

/** Shows that somebody still runs it. False as for `noteFork`. */
export async function renewFork(pool: pg.Pool, id: string, owner: string): Promise<boolean> {
  const { rowCount } = await pool.query(
    "update forks.runs set updated_at = now() where id = $1 and owner = $2 and status = 'running'",
    [id, owner],
  );
  return rowCount === 1;
}

/** Gives it back, so that the next process that looks after that time goes on with it. */
export const giveForkBack = (
  pool: pg.Pool,
  id: string,
  owner: string,
  afterMs: number,
): Promise<unknown> =>
  pool.query(
    "update forks.runs set status = 'queued', owner = null, tries = 0, not_before = now() + $3 * interval '1 millisecond' where id = $1 and owner = $2 and status = 'running'",
    [id, owner, afterMs],
  );

/** Ends it, and forgets the oldest of those that ended. */
export async function finishFork(
  pool: pg.Pool,
  id: string,
  owner: string,
  end: { readonly complete: boolean } | { readonly error: string },
): Promise<void> {
  const error = "error" in end ? end.error : null;
  await pool.query(
    "update forks.runs set status = $3, error = $4, complete = $5, owner = null, finished_at = now() where id = $1 and owner = $2 and status = 'running'",
    [id, owner, error === null ? "done" : "failed", error, "complete" in end ? end.complete : null],
  );
  await pool.query(
    `delete from forks.runs where id in (select id from forks.runs where finished_at is not null order by created_at desc, id desc offset ${mostKept})`,
  );
}
