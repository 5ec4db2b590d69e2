import type pg from "pg";
import type { WritePart } from "@heliograph/runtime";
import type { Chain } from "../record.ts";

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
    if (!isMissing(error)) throw error;
  }
  return chain;
}

/** The chain, and the position up to which the relay has published what there is. */
export type Published = Chain & { readonly upTo: bigint };

/**
 * What has been published. `upTo` is beyond the last event where positions are of a log that is shared with others: nothing of this one comes between, so whoever has
 * everything up to the last event has everything up to there.
 */
export async function readPublished(pool: pg.Pool, schema = "relay"): Promise<Published> {
  const { rows } = await pool
    .query<{ position: string }>({
      name: `kafka_published_${schema}`,
      text: `select position::text from "${schema}".checkpoint where name = 'relay'`,
    })
    .catch((error: unknown) => (isMissing(error) ? { rows: [] } : Promise.reject(error)));
  // The chain after it: what it says may only be newer, so that no event between is passed over.
  const chain = await readChain(pool, schema);
  const noted = BigInt(rows[0]?.position ?? 0);
  return { ...chain, upTo: noted > chain.last ? noted : chain.last };
}

/** 42P01, 3F000: the relay has not made its tables yet. */
const isMissing = (error: unknown): boolean =>
  ["42P01", "3F000"].includes((error as { code?: string }).code ?? "");

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
