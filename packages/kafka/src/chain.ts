import type pg from "pg";
import type { WritePart } from "@heliograph/runtime";
import type { Chain } from "./record.ts";

/** The relay's tables: how far each shard has been published, and into how many shards. Shard -1 is the whole namespace. */
export const relayDdl = `
create table if not exists {schema}.chains (shard int primary key, position bigint not null) with (fillfactor = 10);
create table if not exists {schema}.division (one boolean primary key default true check (one), shards int not null);`;

const whole = -1;

/** 42P01, 3F000: the relay has not made its tables yet. */
const notMade = (error: unknown): boolean =>
  ["42P01", "3F000"].includes((error as { code?: string }).code ?? "");

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
    if (!notMade(error)) throw error;
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

/** Into how many shards the environment was divided at the relay's first start; undefined before. */
export async function readShards(pool: pg.Pool, schema = "relay"): Promise<number | undefined> {
  try {
    const { rows } = await pool.query(`select shards from "${schema}".division`);
    return rows[0]?.shards;
  } catch (error) {
    if (!notMade(error)) throw error;
    return undefined;
  }
}

/**
 * Fixes the number of shards at the first start.
 *
 * @throws Error when it has been fixed to another one: a partner's events would change their shard in mid-stream.
 */
export async function fixShards(pool: pg.Pool, schema: string, shards: number): Promise<void> {
  await pool.query(`insert into "${schema}".division (shards) values ($1) on conflict do nothing`, [
    shards,
  ]);
  const fixed = await readShards(pool, schema);
  if (fixed !== shards)
    throw new Error(
      `this environment has ${fixed} shards for ever; HELIOGRAPH_KAFKA_SHARDS must be ${fixed}, not ${shards}`,
    );
}
