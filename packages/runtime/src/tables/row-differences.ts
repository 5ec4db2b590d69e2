import type pg from "pg";
import { quoteSchema } from "./parts.ts";

/** How the rows of a table differ between two schemas. */
export type TableDifference = {
  readonly table: string;
  /** Rows that only one of the two has, and those that both have with other values. Of a table without a primary key a row that changed is in each of the first two. */
  readonly onlyLeft: number;
  readonly onlyRight: number;
  readonly changed: number;
  /** Columns, or with `*` the table itself, that only one of the two has: they are compared with nothing. */
  readonly columnsOnlyLeft: readonly string[];
  readonly columnsOnlyRight: readonly string[];
};

type Columns = ReadonlyMap<string, readonly string[]>;

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

async function columnsOf(db: Pick<pg.ClientBase, "query">, schema: string): Promise<Columns> {
  const { rows } = await db.query<{ table_name: string; columns: string[] }>(
    `select table_name::text, array_agg(column_name::text order by column_name) as columns from information_schema.columns
      where table_schema = $1 and table_name <> 'checkpoint' group by table_name`,
    [schema],
  );
  return new Map(rows.map((row) => [row.table_name, row.columns]));
}

/** The primary keys of a schema's tables, in their order. */
async function keysOf(db: Pick<pg.ClientBase, "query">, schema: string): Promise<Columns> {
  const { rows } = await db.query<{ table_name: string; columns: string[] }>(
    `select c.relname::text as table_name, array_agg(a.attname::text order by array_position(i.indkey::int2[], a.attnum)) as columns
      from pg_index i join pg_class c on c.oid = i.indrelid join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey)
      where i.indisprimary and c.relnamespace = $1::regnamespace group by c.relname`,
    [quoteSchema(schema)],
  );
  return new Map(rows.map((row) => [row.table_name, row.columns]));
}

/**
 * Compares every table of two schemas row by row, in what both have; gives those that differ in anything. Rows are matched by the primary key that the right one has; where the left
 * one lacks a column of it, or there is none, by all that they hold.
 */
export async function rowDifferences(
  db: Pick<pg.ClientBase, "query">,
  left: string,
  right: string,
): Promise<readonly TableDifference[]> {
  const [ofLeft, ofRight, keys] = [
    await columnsOf(db, left),
    await columnsOf(db, right),
    await keysOf(db, right),
  ];
  const found: TableDifference[] = [];
  for (const table of [...new Set([...ofLeft.keys(), ...ofRight.keys()])].toSorted()) {
    const [mine, other] = [ofLeft.get(table), ofRight.get(table)];
    const columns = {
      columnsOnlyLeft:
        other === undefined ? ["*"] : (mine ?? []).filter((each) => !other.includes(each)),
      columnsOnlyRight:
        mine === undefined ? ["*"] : (other ?? []).filter((each) => !mine.includes(each)),
    };
    const common = (mine ?? []).filter((each) => other?.includes(each));
    const key = keys.get(table) ?? [];
    const counts =
      common.length === 0
        ? { onlyLeft: 0, onlyRight: 0, changed: 0 }
        : await countsOf(
            db,
            table,
            [left, right],
            common,
            key.every((each) => common.includes(each)) ? key : [],
          );
    const difference = { table, ...counts, ...columns };
    if (
      Object.values(difference).some((each) =>
        Array.isArray(each) ? each.length > 0 : each !== 0 && each !== table,
      )
    )
      found.push(difference);
  }
  return found;
}

async function countsOf(
  db: Pick<pg.ClientBase, "query">,
  table: string,
  schemas: readonly [string, string],
  common: readonly string[],
  key: readonly string[],
): Promise<Pick<TableDifference, "onlyLeft" | "onlyRight" | "changed">> {
  const whole = `md5(row(${common.map(quote).join(", ")})::text)`;
  // Without a key the same row may be there several times: each of them has a number.
  const side = (schema: string): string =>
    key.length > 0
      ? `select ${key.map((name, index) => `${quote(name)} as k${index}`).join(", ")}, ${whole} as held from ${quoteSchema(schema)}.${quote(table)}`
      : `select ${whole} as k0, row_number() over (partition by ${whole}) as k1, '' as held from ${quoteSchema(schema)}.${quote(table)}`;
  const using = (key.length > 0 ? key : ["", ""]).map((_, index) => `k${index}`).join(", ");
  const { rows } = await db.query(
    `select count(*) filter (where r.held is null)::float8 as "onlyLeft", count(*) filter (where l.held is null)::float8 as "onlyRight",
      count(*) filter (where l.held <> r.held)::float8 as changed
      from (${side(schemas[0])}) l full join (${side(schemas[1])}) r using (${using})`,
  );
  return rows[0];
}
