import type { OwnTables } from "../types.ts";
import type pg from "pg";

/**
 * In each environment's database. `buckets` is for rates that several processes share: unlogged, because a crash of the database that fills every bucket lets one burst more through,
 * and a write of WAL for each request would cost more than the request. `days` counts what a partner may do in a day, and is as durable as any table.
 * Times are seconds by the database's clock, less a constant so that a double is exact to some 30 ns.
 */
export const limitTables: OwnTables = {
  schema: "limits",
  migrations: [
    `create unlogged table limits.buckets (
  name text primary key,
  full_at float8 not null,
  seen_at float8 not null,
  every float8 not null,
  size float8 not null,
  asked float8 not null,
  debt float8 not null,
  back float8 not null,
  granted float8 not null,
  charged float8 not null
) with (fillfactor = 50);
create table limits.days (
  partner text not null,
  day date not null,
  taken bigint not null,
  granted bigint not null,
  primary key (partner, day)
) with (fillfactor = 50);`,
  ],
};

/** What several calls of a process together want of one bucket. */
export type BucketAsk = {
  readonly name: string;
  /** Seconds between two tokens. */
  readonly every: number;
  /** Tokens of a full bucket, in seconds. */
  readonly size: number;
  /** Tokens that are given back, before any is taken. */
  readonly back: number;
  /** Tokens, as many as there are. */
  readonly asked: number;
  /** Tokens in full, into debt if need be, or none where there is a debt already. */
  readonly whole: number;
  /** How far into debt, in seconds. */
  readonly maxDebt: number;
};
export type BucketGrant = {
  readonly granted: number;
  readonly charged: number;
  /** Until it is full again, in seconds. */
  readonly ahead: number;
};

/**
 * `excluded` brings what is asked, `b` is what is there; what is charged to a new row is all that was asked in full. The clock is read as the statement begins: while it waited for a row
 * another may have read a later one, which counts.
 */
const takeTokens = `with given as (
  select *, (extract(epoch from clock_timestamp()) - 1750000000)::float8 as now
  from unnest($1::text[], $2::float8[], $3::float8[], $4::float8[], $5::float8[], $6::float8[], $7::float8[]) as a(name, every, size, asked, whole, max_debt, back)
), first as (
  select name, every, size, whole, max_debt, back, now, least(asked, floor(size / every + 1e-6)) as granted, asked from given
)
insert into limits.buckets as b (name, every, size, asked, debt, back, granted, charged, seen_at, full_at)
select name, every, size, asked, max_debt, back, granted, whole, now,
  now + least(every * (granted + whole), greatest(every * granted, size + max_debt))
from first order by name
on conflict (name) do update set (every, size, asked, debt, back, seen_at, granted, charged, full_at) = (
  select excluded.every, excluded.size, excluded.asked, excluded.debt, excluded.back, n.now, g.granted, c.charged,
    least(g.full_at + excluded.every * c.charged, greatest(g.full_at, n.now + excluded.size + excluded.debt))
  from (select greatest(excluded.seen_at, b.seen_at) as now) n,
    lateral (select greatest(b.full_at - excluded.every * excluded.back, n.now) as full_at) f,
    lateral (select least(excluded.asked,
      greatest(0, floor((excluded.size - (f.full_at - n.now)) / excluded.every + 1e-6))) as granted) t,
    lateral (select t.granted, f.full_at + excluded.every * t.granted as full_at) g,
    lateral (select case when g.full_at - n.now <= excluded.size then excluded.charged else 0 end as charged) c
)
returning name, granted, charged, full_at - seen_at as ahead`;

/** Takes from buckets, each named once; in one statement, by the database's clock. */
export async function takeFromBuckets(
  pool: pg.Pool,
  asks: readonly BucketAsk[],
): Promise<ReadonlyMap<string, BucketGrant>> {
  const { rows } = await pool.query<BucketGrant & { readonly name: string }>({
    name: "limits.take",
    text: takeTokens,
    values: [
      asks.map(({ name }) => name),
      asks.map(({ every }) => every),
      asks.map(({ size }) => size),
      asks.map(({ asked }) => asked),
      asks.map(({ whole }) => whole),
      asks.map(({ maxDebt }) => maxDebt),
      asks.map(({ back }) => back),
    ],
  });
  return new Map(rows.map((row) => [row.name, row]));
}

/** Forgets buckets that have been full for a minute. */
export async function forgetFullBuckets(pool: pg.Pool): Promise<void> {
  await pool.query(
    "delete from limits.buckets where full_at < extract(epoch from clock_timestamp()) - 1750000000 - 60",
  );
}

export type DayAsk = {
  readonly partner: string;
  /** As many as there are. */
  readonly asked: number;
  readonly most: number;
};
export type DayGrant = {
  readonly granted: number;
  readonly left: number;
  readonly day: string;
  readonly secondsLeft: number;
};

const dayColumns = `greatest(0, a.most - d.taken)::float8 as left, d.day::text as day,
  extract(epoch from ((d.day + 1)::timestamp at time zone 'utc') - clock_timestamp())::float8 as "secondsLeft"`;

/** Takes from what partners, each named once, may do today (UTC). */
export async function takeFromDays(
  pool: pg.Pool,
  asks: readonly DayAsk[],
): Promise<ReadonlyMap<string, DayGrant>> {
  const values = [
    asks.map(({ partner }) => partner),
    asks.map(({ asked }) => asked),
    asks.map(({ most }) => most),
  ];
  const { rows } = await pool.query<DayGrant & { readonly partner: string }>({
    name: "limits.take_day",
    text: `with a as (select * from unnest($1::text[], $2::bigint[], $3::bigint[]) as a(partner, asked, most)),
d as (
  insert into limits.days as d (partner, day, taken, granted)
  select partner, (clock_timestamp() at time zone 'utc')::date, least(asked, most), least(asked, most) from a order by partner
  on conflict (partner, day) do update set
    taken = d.taken + least(excluded.granted, greatest(0, (select most from a where a.partner = d.partner) - d.taken)),
    granted = least(excluded.granted, greatest(0, (select most from a where a.partner = d.partner) - d.taken))
  returning partner, day, taken, granted
)
select partner, d.granted::float8 as granted, ${dayColumns} from d join a using (partner)`,
    values,
  });
  return new Map(rows.map((row) => [row.partner, row]));
}

/** What is left of today. Takes nothing. */
export async function readDay(pool: pg.Pool, partner: string, most: number): Promise<DayGrant> {
  const { rows } = await pool.query<DayGrant>({
    name: "limits.day",
    text: `select 0 as granted, ${dayColumns} from (select $2::bigint as most) a,
  lateral (select today as day, coalesce((select taken from limits.days where partner = $1 and day = today), 0) as taken
    from (select (clock_timestamp() at time zone 'utc')::date as today) t) d`,
    values: [partner, most],
  });
  return rows[0]!;
}

/** Gives back what was taken of a day. */
export async function giveBackToDay(
  pool: pg.Pool,
  partner: string,
  day: string,
  count: number,
): Promise<void> {
  await pool.query({
    name: "limits.give_back_day",
    text: "update limits.days set taken = greatest(0, taken - $3) where partner = $1 and day = $2::date",
    values: [partner, day, count],
  });
}

/** Days that nobody asks about any more. */
export async function forgetDays(pool: pg.Pool): Promise<void> {
  await pool.query(
    "delete from limits.days where day < (clock_timestamp() at time zone 'utc')::date - 7",
  );
}
