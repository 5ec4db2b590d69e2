import { inTransaction, type OwnTables } from "@heliograph/runtime";
import type pg from "pg";
import type { Candidates } from "../backtests/judge.ts";

/** What operators asked of the past, in the database of its environment. `asked` and `sums` are JSON that nobody queries: as text they may hold every character. */
export const backtestTables: OwnTables = {
  schema: "backtests",
  migrations: [
    `create table backtests.runs (
  id text primary key,
  asked text not null,
  -- of what was asked: it has up to a megabyte of entries, which no list reads
  from_time text not null,
  to_time text not null,
  partner text,
  rules int,
  prices int,
  after_position bigint not null,
  to_position bigint not null,
  reached bigint not null,
  status text not null default 'queued' check (status in ('queued', 'running', 'done', 'failed', 'canceled')),
  owner uuid,
  tries int not null default 0, -- since it last went on
  sums text,
  complete boolean, -- false: it ended at its most messages
  error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  finished_at timestamptz
);
create index on backtests.runs (created_at) where finished_at is null;`,
  ],
};

/** So many wait or run in an environment: more are a loop. */
export const mostOpen = 10;
/** Of those that ended, the newest are kept. */
const mostKept = 100;
/** Whoever runs one shows itself every two seconds: after so long it is gone. */
const staleSeconds = 30;
/** Ends those that take their process along each time. */
const mostTries = 5;

/** What was asked for. Times are RFC 3339. */
export type Asked = Candidates & {
  readonly from: string;
  readonly to: string;
  readonly partner: string | undefined;
  /** Whose reads of the log these are. */
  readonly by: string;
};
export type BacktestStatus = "queued" | "running" | "done" | "failed" | "canceled";
export type Backtest = {
  readonly id: string;
  readonly from_time: string;
  readonly to_time: string;
  readonly partner: string | null;
  /** How many rules and entries are tried; null where none are given. */
  readonly rules: number | null;
  readonly prices: number | null;
  readonly after: bigint;
  readonly to: bigint;
  readonly reached: bigint;
  readonly status: BacktestStatus;
  readonly sums: string | null;
  readonly complete: boolean | null;
  readonly error: string | null;
  readonly created_at: Date;
  readonly finished_at: Date | null;
};
/** With what its runner tries. */
export type ClaimedBacktest = Backtest & { readonly asked: Asked };

const columns =
  "id, from_time, to_time, partner, rules, prices, after_position::text, to_position::text, reached::text, status, sums, complete, error, created_at, finished_at";

// oxlint-disable-next-line typescript/no-explicit-any -- a row as the driver gives it
const rowOf = ({ after_position, to_position, reached, ...row }: any): Backtest => ({
  ...row,
  after: BigInt(after_position),
  to: BigInt(to_position),
  reached: BigInt(reached),
});

/** Stores one, or finds the one of that id; undefined where too many wait. */
export async function addBacktest(
  pool: pg.Pool,
  id: string,
  asked: Asked,
  { after, to }: { readonly after: bigint; readonly to: bigint },
): Promise<Backtest | undefined> {
  await pool.query(
    `insert into backtests.runs (id, asked, after_position, to_position, reached, from_time, to_time, partner, rules, prices) select $1, $2, $3, $4, $3, $5, $6, $7, $8, $9
      where (select count(*) from backtests.runs where finished_at is null) < ${mostOpen} on conflict (id) do nothing`,
    [
      id,
      JSON.stringify(asked),
      after,
      to,
      asked.from,
      asked.to,
      asked.partner ?? null,
      asked.rules?.length ?? null,
      asked.prices?.entries.length ?? null,
    ],
  );
  return readBacktest(pool, id);
}

export async function readBacktest(pool: pg.Pool, id: string): Promise<Backtest | undefined> {
  const { rows } = await pool.query(`select ${columns} from backtests.runs where id = $1`, [id]);
  return rows[0] && rowOf(rows[0]);
}

/** Newest first, without what was asked and what they came to; ids grow with time. */
export async function listBacktests(
  pool: pg.Pool,
  { limit, before }: { readonly limit: number; readonly before?: string | undefined },
): Promise<readonly Backtest[]> {
  const { rows } = await pool.query(
    `select ${columns.replace("sums", "null as sums")} from backtests.runs where $2::text is null or (created_at, id) < (select created_at, id from backtests.runs where id = $2)
      order by created_at desc, id desc limit $1`,
    [limit, before ?? null],
  );
  return rows.map(rowOf);
}

/** Ends one that has not ended: false when it had. Its runner stops when it next shows itself. */
export async function cancelBacktest(pool: pg.Pool, id: string): Promise<boolean> {
  const { rowCount } = await pool.query(
    "update backtests.runs set status = 'canceled', owner = null, finished_at = now() where id = $1 and finished_at is null",
    [id],
  );
  return rowCount === 1;
}

/** Takes the oldest that waits, or whose runner is gone, unless another one runs: one at a time in an environment, however many processes look. */
export async function claimBacktest(
  pool: pg.Pool,
  owner: string,
): Promise<ClaimedBacktest | undefined> {
  return inTransaction(pool, async (client) => {
    await client.query(
      "select pg_advisory_xact_lock(hashtextextended('heliograph/backtests', 7041776))",
    );
    const stale = `updated_at < now() - interval '${staleSeconds} seconds'`;
    await client.query(
      `update backtests.runs set status = 'failed', error = 'it was begun ${mostTries} times, and its process ended each time', owner = null, finished_at = now()
        where status = 'running' and tries >= ${mostTries} and ${stale}`,
    );
    const { rows } = await client.query(
      `update backtests.runs set status = 'running', owner = $1, tries = tries + 1, updated_at = now() where id = (
        select id from backtests.runs where finished_at is null and not exists (select from backtests.runs where status = 'running' and not (${stale}))
        order by created_at, id limit 1) returning asked, ${columns}`,
      [owner],
    );
    return rows[0] && { ...rowOf(rows[0]), asked: JSON.parse(rows[0].asked) };
  });
}

/** How far it is. False when it is not the owner's any more: it was canceled, or another process has taken it. */
export async function noteProgress(
  pool: pg.Pool,
  id: string,
  owner: string,
  reached: bigint,
  sums: string,
): Promise<boolean> {
  const { rowCount } = await pool.query(
    "update backtests.runs set reached = $3, sums = $4, tries = 1, updated_at = now() where id = $1 and owner = $2 and status = 'running'",
    [id, owner, reached, sums],
  );
  return rowCount === 1;
}

/** Gives it back, so that the next process that looks goes on with it. */
export const giveBack = (pool: pg.Pool, id: string, owner: string): Promise<unknown> =>
  pool.query(
    "update backtests.runs set status = 'queued', owner = null, tries = 0 where id = $1 and owner = $2 and status = 'running'",
    [id, owner],
  );

/** Ends it, and forgets the oldest of those that ended. */
export async function finishBacktest(
  pool: pg.Pool,
  id: string,
  owner: string,
  end: { readonly complete: boolean } | { readonly error: string },
): Promise<void> {
  const error = "error" in end ? end.error : null;
  await pool.query(
    "update backtests.runs set status = $3, error = $4, complete = $5, owner = null, finished_at = now() where id = $1 and owner = $2 and status = 'running'",
    [id, owner, error === null ? "done" : "failed", error, "complete" in end ? end.complete : null],
  );
  await pool.query(
    `delete from backtests.runs where id in (select id from backtests.runs where finished_at is not null order by created_at desc, id desc offset ${mostKept})`,
  );
}
