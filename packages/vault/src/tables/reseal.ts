import type pg from "pg";

/** A column in which values stand that the master key sealed, and the key of its rows. Both are names of ours, never input. */
export type SealedColumn = {
  readonly table: string;
  readonly key: string;
  readonly keyType: "uuid" | "text" | "bytea" | "boolean";
  readonly column: string;
  readonly columnType: "text" | "bytea";
};

/** What a look at sealed values came to. */
export type Resealed = {
  /** Sealed anew by this call. */
  readonly renewed: number;
  /** Still under the key before. */
  readonly left: number;
  /** Opened by neither key: lost with an earlier one. */
  readonly lost: number;
};

/** What is to stand in a value's place: another value, nothing because it is sealed with the new key already, or `lost` because neither key opens it. */
export type Reseal<Value> = (value: Value, key: string) => Value | undefined | "lost";

/** Rows of one statement: so many are sealed anew at once, and are what a kill may undo. */
const pageRows = 500;

/**
 * Seals the values of a column anew, page by page, each page in a commit of its own. A row that another writer changes or empties meanwhile is left as that writer wants it, and counts as left. Without
 * `renew` it only counts. A table that no service has made yet holds nothing. Safe to repeat, after a kill too: what is sealed anew is passed over.
 */
export async function resealColumn<Value extends string | Buffer>(
  pool: pg.Pool,
  { table, key, keyType, column, columnType }: SealedColumn,
  reseal: Reseal<Value>,
  { renew, onPage }: { readonly renew: boolean; onPage(): void | Promise<void> },
): Promise<Resealed> {
  const sums = { renewed: 0, left: 0, lost: 0 };
  const there = await pool.query("select to_regclass($1) is not null as there", [table]);
  if (there.rows[0].there !== true) return sums;
  let after: string | null = null;
  for (;;) {
    const { rows }: { rows: { key: string; value: Value }[] } = await pool.query({
      text: `select ${key}::text as key, ${column} as value from ${table}
        where ${column} is not null and ($1::text is null or ${key} > $1::${keyType}) order by ${table}.${key} limit ${pageRows}`,
      values: [after],
    });
    if (rows.length === 0) return sums;
    after = rows.at(-1)!.key;
    const found = rows.map(({ key: name, value }) => ({ name, value, next: reseal(value, name) }));
    sums.lost += found.filter(({ next }) => next === "lost").length;
    const old = found.filter(({ next }) => next !== undefined && next !== "lost");
    let renewed = 0;
    if (renew && old.length > 0) {
      const { rowCount } = await pool.query({
        // Only what is as it was read: an erasure that came between has taken the key away for good.
        text: `update ${table} t set ${column} = n.next
          from unnest($1::text[]::${keyType}[], $2::${columnType}[], $3::${columnType}[]) as n(key, value, next)
          where t.${key} = n.key and t.${column} = n.value`,
        values: [
          old.map(({ name }) => name),
          old.map(({ value }) => value),
          old.map(({ next }) => next),
        ],
      });
      renewed = rowCount ?? 0;
      await onPage();
    }
    sums.renewed += renewed;
    sums.left += old.length - renewed;
  }
}
