import type pg from "pg";

type Queries = Pick<pg.ClientBase, "query">;

/** Claims a key in its scope for so long, also one whose time is over. Gives whether it is ours. */
export async function claimAnswer(
  pool: Queries,
  scope: string,
  key: string,
  seconds: number,
): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: "sessions.claim_answer",
    text: `insert into sessions.answers as a (scope, key, until) values ($1, $2, now() + make_interval(secs => $3))
      on conflict (scope, key) do update set sealed = null, until = excluded.until where a.until <= now()`,
    values: [scope, key, seconds],
  });
  return rowCount === 1;
}

/** The sealed answer of a key; null while the first call runs, undefined when there is none. */
export async function readAnswer(
  pool: Queries,
  scope: string,
  key: string,
): Promise<string | null | undefined> {
  const { rows } = await pool.query<{ sealed: string | null }>({
    name: "sessions.read_answer",
    text: "select sealed from sessions.answers where scope = $1 and key = $2 and until > now()",
    values: [scope, key],
  });
  return rows[0]?.sealed;
}

export async function keepAnswer(
  pool: Queries,
  scope: string,
  key: string,
  sealed: string,
  seconds: number,
): Promise<void> {
  await pool.query({
    name: "sessions.keep_answer",
    text: `insert into sessions.answers (scope, key, sealed, until) values ($1, $2, $3, now() + make_interval(secs => $4))
      on conflict (scope, key) do update set sealed = excluded.sealed, until = excluded.until`,
    values: [scope, key, sealed, seconds],
  });
}

export async function dropAnswer(pool: Queries, scope: string, key: string): Promise<void> {
  await pool.query({
    name: "sessions.drop_answer",
    text: "delete from sessions.answers where scope = $1 and key = $2 and sealed is null",
    values: [scope, key],
  });
}

/** What is sealed of answers that may still be asked for. None where the service has not run yet. */
export async function standingAnswers(pool: Queries): Promise<readonly string[]> {
  const there = await pool.query("select to_regclass('sessions.answers') is not null as there");
  if (there.rows[0].there !== true) return [];
  const { rows } = await pool.query<{ sealed: string }>(
    "select sealed from sessions.answers where sealed is not null and until > now()",
  );
  return rows.map(({ sealed }) => sealed);
}
