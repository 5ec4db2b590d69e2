import type { WritePart } from "@heliograph/runtime";
import type pg from "pg";

/** When a pending row was written, epoch ms by the clock of its writer. Rows of before have none. */
export const setAtDdl = `
alter table {schema}.deliveries add column if not exists set_at bigint;
`;

/** Times that the clock was set back, of which the deliveries may not all know yet, by the shard that writes it to them (-1 where there are none). */
export const setBacksDdl = `
create table {schema}.set_backs (
  number bigint generated always as identity primary key,
  shard int not null,
  at bigint not null,
  by_ms bigint not null,
  looked_at bigint not null
);
`;

const [clocksDifferMs, writtenBesideMs] = [60_000, 1_000];

/** The clock was set back: it was `now` then by the clock as it is, which was last looked at before that at `lookedAt`. Whole epoch ms. */
export type SetBack = { readonly now: number; readonly byMs: number; readonly lookedAt: number };
/** Over a restart nobody knows by how much it was, and what was written ahead of `now` waits anew. */
export type Ahead = Pick<SetBack, "now"> & Partial<SetBack>;

/** Rows of one statement: what others write waits for it. */
export const setBackAtOnce = 1_000;

/** Rows that wait, and that the clock before has written, of the values behind. */
const writtenBefore = `status = 'pending' and next_attempt_at > $2::bigint
    and (set_at > $2::bigint + $3::bigint or coalesce(set_at, 0) < $4::bigint)`;
const valuesOf = ({ now, byMs, lookedAt = 0 }: Ahead): readonly number[] => [
  now,
  // As of other machines, whose clocks differ; or of what is written in this moment.
  byMs === undefined ? clocksDifferMs : writtenBesideMs,
  lookedAt,
];

/** What waits of these deliveries comes no later for a clock that was set back. It is written by the clock as it is then: done again it changes nothing. */
export const setBackPending = (ids: readonly string[], back: Ahead): WritePart => ({
  name: "set_back",
  sql: `update {schema}.deliveries set next_attempt_at = next_attempt_at - coalesce($5::bigint, set_at - $2::bigint), set_at = $2::bigint
    where id = any($1::text[]) and ${writtenBefore}`,
  values: [ids, ...valuesOf(back), back.byMs ?? null],
});

export const noteSetBack = (shard: number, { now, byMs, lookedAt }: SetBack): WritePart => ({
  name: "note_set_back",
  sql: `insert into {schema}.set_backs (shard, at, by_ms, looked_at) values ($1::int, $2::bigint, $3::bigint, $4::bigint)`,
  values: [shard, now, byMs, lookedAt],
});

export const forgetSetBack = (shard: number, { now, byMs, lookedAt }: SetBack): WritePart => ({
  name: "forget_set_back",
  sql: `delete from {schema}.set_backs where shard = $1::int and at = $2::bigint and by_ms = $3::bigint and looked_at = $4::bigint`,
  values: [shard, now, byMs, lookedAt],
});

/** A delivery that does not know of it. */
export type Unaware = {
  readonly id: string;
  readonly endpointId: string;
  readonly nextAttemptAt: number;
};

export const readsOfSetBacks = (pool: pg.Pool, sql: (text: string) => string) => ({
  /** Those of these endpoints that are due from a time of each on, the first due first, `setBackAtOnce` of them at most. */
  async unaware(from: ReadonlyMap<string, number>, back: Ahead): Promise<Unaware[]> {
    const { rows } = await pool.query<Unaware>(
      sql(`select f.endpoint_id as "endpointId", d.id, d.next_attempt_at::float8 as "nextAttemptAt"
        from unnest($1::text[], $5::bigint[]) as f(endpoint_id, at)
          cross join lateral (select id, next_attempt_at from {schema}.deliveries p
            where p.endpoint_id = f.endpoint_id and p.next_attempt_at >= f.at and ${writtenBefore}
            order by p.next_attempt_at limit ${setBackAtOnce}) d
        limit ${setBackAtOnce}`),
      [[...from.keys()], ...valuesOf(back), [...from.values()]],
    );
    return rows;
  },
  /** Those that nobody has come through with, the first one first. */
  async setBacks(shard: number): Promise<SetBack[]> {
    const { rows } = await pool.query<SetBack>(
      sql(`select at::float8 as now, by_ms::float8 as "byMs", looked_at::float8 as "lookedAt"
        from {schema}.set_backs where shard = $1 order by number`),
      [shard],
    );
    return rows;
  },
});
