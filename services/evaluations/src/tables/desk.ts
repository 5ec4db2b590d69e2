import type pg from "pg";

/** The reactor's own, in the platform's database: none of it can be made from the log. */
export const deskSchema = "evaluation_desk";
export const deskMigrations: readonly string[] = [
  `create table {schema}.requests (
  evaluation_id text primary key,
  address text not null,
  position bigint not null unique,
  requested_at timestamptz not null,
  duplicate_of text
);
create index requests_address on {schema}.requests (address, position);
-- Links that show a key once. Whether one is spent stands in the log: its key is there.
create table {schema}.access (sha256 text primary key, evaluation_id text not null, expires_at timestamptz not null);
-- What the team is to be told.
create table {schema}.notices (
  id uuid primary key,
  evaluation_id text not null,
  kind text not null,
  due_at timestamptz not null,
  given_up_at timestamptz not null,
  tries int not null default 0
);
create index notices_due on {schema}.notices (due_at);`,
  // Nothing is given up any more: what is tried first is what was due first.
  `alter table {schema}.notices rename column given_up_at to first_due_at;
update {schema}.notices set first_due_at = first_due_at - interval '7 days';`,
];

/** A request as the log has it: where it stands, whose it is. */
export type Placed = {
  readonly address: string;
  readonly position: bigint;
  readonly requestedAt: string;
};

/** The last request of the same address before this one that was no duplicate itself, of so many days. */
export async function earlierRequest(
  pool: pg.Pool,
  { address, position, requestedAt }: Placed,
  withinDays: number,
): Promise<string | undefined> {
  const { rows } = await pool.query<{ evaluation_id: string }>({
    name: "evaluation_desk.earlier",
    text: `select evaluation_id from evaluation_desk.requests
      where address = $1 and position < $2 and duplicate_of is null and requested_at > $3::timestamptz - make_interval(days => $4)
      order by position desc limit 1`,
    values: [address, position, requestedAt, withinDays],
  });
  return rows[0]?.evaluation_id;
}

/** How often the address has asked in the day before this request. */
export async function countEarlier(
  pool: pg.Pool,
  { address, position, requestedAt }: Placed,
): Promise<number> {
  const { rows } = await pool.query<{ count: number }>({
    name: "evaluation_desk.count",
    text: `select count(*)::int as count from evaluation_desk.requests
      where address = $1 and position < $2 and requested_at > $3::timestamptz - interval '1 day'`,
    values: [address, position, requestedAt],
  });
  return rows[0]!.count;
}

/** How many turns of a rota were taken between the position where it was set and a request. */
export async function countTurns(pool: pg.Pool, set: bigint, request: bigint): Promise<number> {
  const { rows } = await pool.query<{ count: number }>({
    name: "evaluation_desk.turns",
    text: "select count(*)::int as count from evaluation_desk.requests where position > $1 and position < $2 and duplicate_of is null",
    values: [set, request],
  });
  return rows[0]!.count;
}

export async function findAccess(
  pool: pg.Pool,
  sha256: string,
): Promise<{ readonly evaluation_id: string; readonly expired: boolean } | undefined> {
  const { rows } = await pool.query<{ evaluation_id: string; expired: boolean }>({
    name: "evaluation_desk.find_access",
    text: "select evaluation_id, expires_at <= now() as expired from evaluation_desk.access where sha256 = $1",
    values: [sha256],
  });
  return rows[0];
}
