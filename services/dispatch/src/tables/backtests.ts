import { type JobStatus, type JobTable, jobTable, type OwnTables } from "@heliograph/runtime";
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
    "alter table backtests.runs add column not_before timestamptz",
    "alter table backtests.runs add column fingerprint text",
  ],
};

/** So many wait or run in an environment: more are a loop. */
export const mostOpen = 10;
/** What was asked for. Times are RFC 3339. */
export type Asked = Candidates & {
  readonly from: string;
  readonly to: string;
  readonly partner: string | undefined;
  /** Whose reads of the log these are. */
  readonly by: string;
};
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
  readonly status: JobStatus;
  readonly sums: string | null;
  /** A name of the request that it was asked with; null where that had no idempotency key. */
  readonly fingerprint: string | null;
  readonly complete: boolean | null;
  readonly error: string | null;
  readonly created_at: Date;
  readonly finished_at: Date | null;
};
/** With what its runner tries. */
export type ClaimedBacktest = Backtest & { readonly asked: Asked };

const columns =
  "id, from_time, to_time, partner, rules, prices, after_position::text, to_position::text, reached::text, status, sums, fingerprint, complete, error, created_at, finished_at";

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
  {
    after,
    to,
    fingerprint = null,
  }: { readonly after: bigint; readonly to: bigint; readonly fingerprint?: string | null },
): Promise<Backtest | undefined> {
  await pool.query(
    `insert into backtests.runs (id, asked, after_position, to_position, reached, from_time, to_time, partner, rules, prices, fingerprint) select $1, $2, $3, $4, $3, $5, $6, $7, $8, $9, $10
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
      fingerprint,
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

export const backtestJobs: JobTable<ClaimedBacktest> = jobTable({
  table: "backtests.runs",
  columns: `asked, ${columns}`,
  jobOf: ({ asked, ...row }) => ({ ...rowOf(row), asked: JSON.parse(asked) }),
  // Whoever runs one shows itself every two seconds.
  staleSeconds: 30,
  mostKept: 100,
  alone: true,
});
