import type pg from "pg";
import type { SpaceTables, WritePart } from "../types.ts";
import { inSchema, quoteSchema } from "./parts.ts";

/** Spaces whose end the consumer has passed; `cleared` when none of their rows is left. */
export const endedDdl = `create table if not exists {schema}.ended_spaces (
  space text primary key, position bigint not null, cleared boolean not null default false
)`;

/** A space, and where its end stands in the log. */
export type EndedSpace = { readonly space: string; readonly position: bigint };

type Db = Pick<pg.Pool, "query">;

export async function readEnded(db: Db, schema: string): Promise<readonly string[]> {
  const { rows } = await db.query<{ space: string }>(
    `select space from ${quoteSchema(schema)}.ended_spaces`,
  );
  return rows.map(({ space }) => space);
}

export async function readUncleared(db: Db, schema: string): Promise<readonly EndedSpace[]> {
  const { rows } = await db.query<{ space: string; position: string }>(
    `select space, position::text from ${quoteSchema(schema)}.ended_spaces where not cleared`,
  );
  return rows.map(({ space, position }) => ({ space, position: BigInt(position) }));
}

export const noteEnded = (ended: readonly EndedSpace[]): readonly WritePart[] =>
  ended.length === 0
    ? []
    : [
        {
          name: "ended_spaces",
          sql: `insert into {schema}.ended_spaces (space, position) select * from unnest($1::text[], $2::bigint[]) on conflict do nothing`,
          values: [ended.map(({ space }) => space), ended.map(({ position }) => position)],
        },
      ];

/** The same at once, for a consumer that sets its checkpoint when it likes. */
export async function keepEnded(
  db: Db,
  schema: string,
  ended: readonly EndedSpace[],
): Promise<void> {
  for (const { sql, values } of noteEnded(ended))
    await db.query(inSchema(sql, schema), [...values]);
}

/** Of which owner the tables are: after a rebuild has put others in their place, it is another one. */
export type Owner = { readonly name: string; readonly epoch: number };

/** How many it marked: none where the tables are not the owner's any more, for then it is others that were cleared. */
export async function markCleared(
  db: Db,
  schema: string,
  spaces: readonly string[],
  { name, epoch }: Owner,
): Promise<number> {
  const { rowCount } = await db.query(
    `update ${quoteSchema(schema)}.ended_spaces set cleared = true where space = any($1)
      and exists (select from ${quoteSchema(schema)}.checkpoint where name = $2 and epoch = $3)`,
    [spaces, name, epoch],
  );
  return rowCount ?? 0;
}

/** Most rows, or pages, that one statement is about: some 20 ms as a rule, 200 ms where every row of the pages goes. */
const rowsAtOnce = 2_000;
const pagesAtOnce = 500;

/**
 * The statements that delete the rows of spaces, one after the other: each is done when it is given. None is about more than its share, so that no lock, snapshot or transaction is longer for a space of
 * millions than for one of ten. Where the column leads an index the rows are found by it; other tables are walked once from their first page to their last, for an index that
 * only this would use costs every row that is ever written, and this is rare.
 */
export async function* deleteRows(
  db: Db,
  schema: string,
  tables: SpaceTables,
  spaces: readonly string[],
): AsyncGenerator<void> {
  for (const [name, column] of Object.entries(tables)) {
    const table = name.includes(".")
      ? name.split(".").map(quoteSchema).join(".")
      : `${quoteSchema(schema)}.${quoteSchema(name)}`;
    const { rows } = await db.query<{ pages: number; indexed: boolean }>(
      `select pg_relation_size(c.oid)::float8 / current_setting('block_size')::int as pages, exists (
          select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
          where i.indrelid = c.oid and a.attname = $2 and i.indpred is null and i.indisvalid) as indexed
        from pg_class c where c.oid = to_regclass($1)`,
      [table, column],
    );
    // Another process makes it, which has not run yet.
    if (rows[0] === undefined) continue;
    const { pages, indexed } = rows[0];
    for (let from = 0, left = true; left;) {
      if (indexed) {
        const { rowCount } = await db.query(
          `delete from ${table} where ctid = any(array(select ctid from ${table} where ${column} = any($1) limit ${rowsAtOnce}))`,
          [spaces],
        );
        left = rowCount === rowsAtOnce;
      } else {
        const until = from + pagesAtOnce;
        await db.query(
          `delete from ${table} where ctid >= $2::tid and ctid < $3::tid and ${column} = any($1)`,
          [spaces, `(${from},0)`, `(${until},0)`],
        );
        from = until;
        left = from < pages;
      }
      yield;
    }
  }
}
