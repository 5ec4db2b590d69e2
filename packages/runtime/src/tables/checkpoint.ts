import { mostShards, shardOf } from "@heliograph/contracts";
import type pg from "pg";
import { quoteSchema } from "./parts.ts";

/** SQLSTATE of a schema or table that is not there. */
const missing = new Set(["3F000", "42P01"]);

/**
 * How far a consumer is: the position in its checkpoint, 0n before it ran for the first time. Of one that is divided, how far the shard of a partner is, or without a partner the shard that is least far: one that
 * has nothing to do passes over the events of the others.
 */
export async function checkpointOf(
  pool: pg.Pool,
  schema: string,
  partner?: string,
): Promise<bigint> {
  try {
    const found = await pool.query({
      name: `checkpoint.${schema}`,
      // The place of a partner among the most shards gives its shard among fewer.
      text: `select min(position)::text as position from (
          select name, position, count(*) filter (where strpos(name, '/') > 0) over () as shards from ${quoteSchema(schema)}.checkpoint) as rows
        where $1::int is null or strpos(name, '/') = 0 or split_part(name, '/', 2) = ($1 % nullif(shards, 0))::text`,
      values: [partner === undefined ? null : shardOf(partner, mostShards)],
    });
    return BigInt(found.rows[0]?.position ?? "0");
  } catch (error) {
    if (missing.has((error as { code?: string }).code ?? "")) return 0n;
    throw error;
  }
}
