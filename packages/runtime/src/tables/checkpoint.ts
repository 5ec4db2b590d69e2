import type pg from "pg";
import { quoteSchema } from "./parts.ts";

/** SQLSTATE of a schema or table that is not there. */
const missing = new Set(["3F000", "42P01"]);

/** How far a consumer is: the position in its checkpoint, 0n before it ran for the first time. */
export async function checkpointOf(pool: pg.Pool, schema: string): Promise<bigint> {
  try {
    const found = await pool.query({
      name: `checkpoint.${schema}`,
      text: `select max(position)::text as position from ${quoteSchema(schema)}.checkpoint`,
    });
    return BigInt(found.rows[0]?.position ?? "0");
  } catch (error) {
    if (missing.has((error as { code?: string }).code ?? "")) return 0n;
    throw error;
  }
}
