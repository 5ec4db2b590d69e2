import type pg from "pg";

/** The projectors of this process that pause between batches, by pool and schema. */
const pausing = new WeakMap<pg.Pool, Map<string, () => void>>();

/**
 * Somebody waits until the read model of this schema has seen more: its projector, where it runs in this process on the same pool, ends its pause and writes how far it is. One in another process
 * is as far behind as its pause is long.
 */
export const hurry = (pool: pg.Pool, schema: string): void => pausing.get(pool)?.get(schema)?.();

/** Hears of it until the function that this gives is called. */
export function onHurry(pool: pg.Pool, schema: string, hear: () => void): () => void {
  const bySchema = pausing.get(pool) ?? new Map<string, () => void>();
  pausing.set(pool, bySchema);
  bySchema.set(schema, hear);
  return () => {
    if (bySchema.get(schema) === hear) bySchema.delete(schema);
  };
}
