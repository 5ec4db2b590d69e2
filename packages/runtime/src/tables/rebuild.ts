import type pg from "pg";
import { quoteSchema } from "./parts.ts";

export const dropSchema = (pool: pg.Pool, schema: string): Promise<unknown> =>
  pool.query(`drop schema if exists ${quoteSchema(schema)} cascade`);

/** Where a consumer's checkpoint is; with `lock` it stays there until the transaction ends. */
export async function readCheckpoint(
  db: Pick<pg.ClientBase, "query">,
  schema: string,
  name: string,
  lock = false,
): Promise<{ readonly position: bigint; readonly epoch: number }> {
  const { rows } = await db.query(
    `select position::text, epoch from ${quoteSchema(schema)}.checkpoint where name = $1${lock ? " for update" : ""}`,
    [name],
  );
  return { position: BigInt(rows[0].position as string), epoch: rows[0].epoch as number };
}

/** Puts one schema in the place of another, which keeps its tables as `old` until it is dropped. The higher epoch fences who wrote the other one. */
export async function swapSchemas(
  client: pg.ClientBase,
  names: { readonly schema: string; readonly next: string; readonly old: string },
  consumer: string,
  epoch: number,
): Promise<void> {
  const [schema, next, old] = [names.schema, names.next, names.old].map(quoteSchema);
  // Of the old one too: a commit that waits for its row would else go into tables that are about to be dropped, and its owner would not hear of it.
  for (const raised of [next, schema])
    await client.query(
      `update ${raised}.checkpoint set epoch = $2 + 1, updated_at = now() where name = $1`,
      [consumer, epoch],
    );
  await client.query(`drop schema if exists ${old} cascade`);
  await client.query(`alter schema ${schema} rename to ${old}`);
  await client.query(`alter schema ${next} rename to ${schema}`);
}

/** Tables whose rows differ between two schemas, compared by the sum of their hashes, which does not depend on the order of rows. To sort them, which a hash of all of them needs, takes twice as long. */
export async function differences(
  client: pg.ClientBase,
  left: string,
  right: string,
): Promise<readonly string[]> {
  const { rows } = await client.query(
    "select table_name from information_schema.tables where table_schema = $1 and table_name <> 'checkpoint' order by 1",
    [right],
  );
  const differing: string[] = [];
  for (const row of rows) {
    const hashes = [];
    for (const schema of [left, right]) {
      const { rows: hashed } = await client.query(
        `select coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text as hash, count(*)::text from ${quoteSchema(schema)}."${row.table_name as string}" t`,
      );
      hashes.push(`${hashed[0].hash as string}/${hashed[0].count as string}`);
    }
    if (hashes[0] !== hashes[1]) differing.push(row.table_name as string);
  }
  return differing;
}
