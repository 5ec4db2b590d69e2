import type pg from "pg";

/** At most `burst` at once, then one every `everySeconds`. */
export type TryLimit = {
  readonly key: string;
  readonly burst: number;
  readonly everySeconds: number;
};

/**
 * Takes one try of each limit (GCRA, by the database's clock, shared by all processes). Gives the seconds until there is one again where any has none; the others are
 * charged all the same.
 */
export async function takeTries(
  pool: pg.Pool,
  limits: readonly TryLimit[],
): Promise<number | undefined> {
  // In one order, so that two callers never wait for each other.
  const sorted = limits.toSorted((left, right) => (left.key < right.key ? -1 : 1));
  const { rows } = await pool.query<{ key: string }>({
    name: "credentials.limits",
    text: `insert into credentials.limits as l (key, tat)
      select key, clock_timestamp() + make_interval(secs => every)
      from unnest($1::text[], $2::float8[]) with ordinality as t(key, every, n) order by n
      on conflict (key) do update set tat = greatest(l.tat, clock_timestamp()) + (excluded.tat - clock_timestamp())
        where greatest(l.tat, clock_timestamp()) - clock_timestamp()
          <= (select make_interval(secs => span) from unnest($1::text[], $3::float8[]) as s(name, span) where name = l.key)
      returning key`,
    values: [
      sorted.map(({ key }) => key),
      sorted.map(({ everySeconds }) => everySeconds),
      sorted.map(({ burst, everySeconds }) => (burst - 1) * everySeconds),
    ],
  });
  if (rows.length === sorted.length) return undefined;
  const passed = new Set(rows.map(({ key }) => key));
  const refused = sorted.filter(({ key }) => !passed.has(key));
  return Math.ceil(Math.max(...refused.map(({ everySeconds }) => everySeconds)));
}

/** Whoever succeeds has not tried in vain, and is known from there: one limit is full again, of the others one try is given back. */
export async function forgetTries(
  pool: pg.Pool,
  forgotten: string,
  givenBack: readonly TryLimit[],
  known: { readonly login: string; readonly place: string },
): Promise<void> {
  await pool.query({
    name: "credentials.succeeded",
    text: `with forgotten as (delete from credentials.limits where key = $1),
        given_back as (update credentials.limits as l set tat = l.tat - make_interval(secs => g.every)
          from unnest($4::text[], $5::float8[]) as g(key, every) where l.key = g.key)
      insert into credentials.places (login, place) values ($2, $3) on conflict (login, place) do update set at = now()`,
    values: [
      forgotten,
      known.login,
      known.place,
      givenBack.map(({ key }) => key),
      givenBack.map(({ everySeconds }) => everySeconds),
    ],
  });
}

/** Whether somebody has signed in with this address from there in the last three months. */
export async function isKnownPlace(pool: pg.Pool, login: string, place: string): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: "credentials.place",
    text: "select 1 from credentials.places where login = $1 and place = $2",
    values: [login, place],
  });
  return rowCount === 1;
}
