import type pg from "pg";
import type { WritePart } from "@heliograph/runtime";
import type { Chain } from "./record.ts";

/** The relay's table: how far each shard has been published. Shard -1 is the whole namespace. */
export const relayDdl =
  "create table if not exists {schema}.chains (shard int primary key, position bigint not null) with (fillfactor = 10)";

const whole = -1;

/** What has been published, as of the relay's checkpoint. Empty while no relay has ever run. */
export async function readChain(pool: pg.Pool, schema = "relay"): Promise<Chain> {
  const chain: Chain = { last: 0n, shards: new Map() };
  try {
    const { rows } = await pool.query<{ shard: number; position: string }>({
      name: `kafka_chain_${schema}`,
      text: `select shard, position::text from "${schema}".chains`,
    });
    for (const { shard, position } of rows)
      if (shard === whole) chain.last = BigInt(position);
      else chain.shards.set(shard, BigInt(position));
  } catch (error) {
    // 42P01, 3F000: the relay has not made its table yet.
    if (!["42P01", "3F000"].includes((error as { code?: string }).code ?? "")) throw error;
  }
  return chain;
}

/** Writes how far the shards are that moved; commits with the relay's checkpoint. */
export const chainPart = (last: bigint, moved: ReadonlyMap<number, bigint>): WritePart => ({
  name: "chain",
  sql: `insert into {schema}.chains (shard, position) select * from unnest($1::int[], $2::bigint[])
    on conflict (shard) do update set position = excluded.position`,
  values: [
    [whole, ...moved.keys()],
    [last, ...moved.values()],
  ],
});
