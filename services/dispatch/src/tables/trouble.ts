import type pg from "pg";

/** Gateways of which a breaker was open in some process: what there is to tell that they recovered. Written while it is open, so that nobody tells it while another process's is. */
export const troubleDdl = `
create table if not exists gateways.trouble (
  gateway_id text primary key,
  seen_at timestamptz not null
);
`;

/** Its breaker is open, here and now. By the clock of the database, which is that of all processes. */
export async function seeTrouble(pool: pg.Pool, gateway: string): Promise<void> {
  await pool.query({
    name: "gateways_trouble_see",
    text: `insert into gateways.trouble (gateway_id, seen_at) values ($1, now())
      on conflict (gateway_id) do update set seen_at = excluded.seen_at`,
    values: [gateway],
  });
}

/** Those of which nobody has seen an open breaker for so long. */
export async function calmAgain(pool: pg.Pool, calmMs: number): Promise<readonly string[]> {
  const { rows } = await pool.query<{ gateway_id: string }>({
    name: "gateways_trouble_calm",
    text: `select gateway_id from gateways.trouble where seen_at <= now() - $1 * interval '1 millisecond'`,
    values: [calmMs],
  });
  return rows.map(({ gateway_id }) => gateway_id);
}

/** It was told of, unless it began anew meanwhile. */
export async function forgetTrouble(pool: pg.Pool, gateway: string, calmMs: number): Promise<void> {
  await pool.query({
    name: "gateways_trouble_forget",
    text: `delete from gateways.trouble where gateway_id = $1 and seen_at <= now() - $2 * interval '1 millisecond'`,
    values: [gateway, calmMs],
  });
}
