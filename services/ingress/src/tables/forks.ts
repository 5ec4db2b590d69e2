import { type JobStatus, type JobTable, jobTable, type OwnTables } from "@heliograph/runtime";
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
  readonly status: JobStatus;
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

export const forkJobs: JobTable<Fork> = jobTable({
  table: "forks.runs",
  columns,
  jobOf: rowOf,
  // Whoever runs one shows itself with whatever it sends and before each wait of some seconds.
  staleSeconds: 60,
  mostKept: 1_000,
});

/** How far one is. */
export const keptOf = (reached: bigint, { skipped, ...counts }: Counts) => ({
  reached,
  ...counts,
  skipped: JSON.stringify(skipped),
});
