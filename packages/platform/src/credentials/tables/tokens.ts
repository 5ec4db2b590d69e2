import type pg from "pg";

export type TokenUse = "invitation" | "reset";

/** Keeps the hash of a new token; those before it of the same agent and kind are void. */
export async function addToken(
  client: pg.ClientBase,
  row: {
    readonly sha256: string;
    readonly kind: TokenUse;
    readonly agent: string;
    readonly lifeSeconds: number;
  },
): Promise<void> {
  await client.query({
    name: "credentials.void",
    text: "delete from credentials.tokens where agent_id = $1 and kind = $2 and used_at is null",
    values: [row.agent, row.kind],
  });
  await client.query({
    name: "credentials.token",
    text: `insert into credentials.tokens (sha256, kind, agent_id, expires_at)
      values ($1, $2, $3, now() + make_interval(secs => $4)) on conflict do nothing`,
    values: [row.sha256, row.kind, row.agent, row.lifeSeconds],
  });
}

/** Whose token it is, while it can be used. */
export async function findToken(
  pool: pg.Pool,
  kind: TokenUse,
  sha256: string,
): Promise<string | undefined> {
  const { rows } = await pool.query<{ agent_id: string }>({
    name: "credentials.find_token",
    text: `select agent_id from credentials.tokens
      where sha256 = $1 and kind = $2 and used_at is null and expires_at > now()`,
    values: [sha256, kind],
  });
  return rows[0]?.agent_id;
}

/** Uses a token up. Gives whether this was the one use. */
export async function takeToken(client: pg.ClientBase, sha256: string): Promise<boolean> {
  const { rowCount } = await client.query({
    name: "credentials.take_token",
    text: `update credentials.tokens set used_at = now()
      where sha256 = $1 and used_at is null and expires_at > now()`,
    values: [sha256],
  });
  return rowCount === 1;
}
