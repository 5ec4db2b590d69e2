import type pg from "pg";
import type { WritePart } from "../types.ts";

/** Another owner moved the checkpoint: whoever sees this has done nothing and must stop. */
export class Fenced extends Error {
  constructor(name: string) {
    super(`${name}: the checkpoint was moved by another owner`);
    this.name = "Fenced";
  }
}

export const quoteSchema = (schema: string): string => `"${schema.replaceAll('"', '""')}"`;
export const inSchema = (sql: string, schema: string): string =>
  sql.replaceAll("{schema}", quoteSchema(schema));

const statements = new Map<string, { readonly name: string; readonly text: string }>();

/**
 * One statement writes every part and moves the checkpoint: one round trip, no BEGIN and COMMIT. The division fails when the compare-and-set
 * found no row, which rolls everything back: a fenced owner leaves nothing.
 */
function compile(schema: string, parts: readonly WritePart[]): { name: string; text: string } {
  const key = `${schema}\u001f${parts.map((part) => part.name).join("\u001f")}`;
  const known = statements.get(key);
  if (known) return known;
  let offset = 4;
  const bodies = parts.map((part, index) => {
    const text = inSchema(part.sql, schema).replace(
      /\$(\d+)/g,
      (_, digits: string) => `$${Number(digits) + offset}`,
    );
    offset += part.values.length;
    return `, part_${index} as (${text})`;
  });
  const text = `with moved as (
    update ${quoteSchema(schema)}.checkpoint set position = $1, updated_at = now()
    where name = $2 and position = $3 and epoch = $4 returning 1)${bodies.join("")}
    select 1 / count(*) from moved`;
  const statement = { name: `commit_${statements.size}`, text };
  statements.set(key, statement);
  return statement;
}

const plainText = /^[\w.:+-]+$/;

/**
 * The text of an array of ids, names and numbers, of which none needs quotes; undefined where one may, which `pg` then escapes: each element costs it twice as much. Most of what consumers write
 * are such arrays, a hundred elements and more at a time. Joined at once they are a quarter to two thirds less garbage than a text that grows.
 */
export function plainArray(list: readonly unknown[]): string | undefined {
  let hasNull = false;
  for (const each of list)
    if (typeof each === "string") {
      // Without quotes the word null is none.
      if (!plainText.test(each) || (each.length === 4 && each.toLowerCase() === "null"))
        return undefined;
    } else if (each === null || each === undefined) hasNull = true;
    else if (typeof each !== "number" && typeof each !== "bigint") return undefined;
  return `{${(hasNull ? list.map((each) => each ?? "null") : list).join(",")}}`;
}

/** A checkpoint of a consumer that its owner moves. */
export type Move = {
  readonly schema: string;
  readonly name: string;
  readonly from: bigint;
  readonly to: bigint;
  readonly epoch: number;
};

/** Runs the parts and moves the checkpoint from `from` to `to`. Throws Fenced, and then nothing was written. */
export async function commitParts(
  pool: pg.Pool,
  at: Move,
  parts: readonly WritePart[] = [],
): Promise<void> {
  const statement = compile(at.schema, parts);
  const values: unknown[] = [at.to, at.name, at.from, at.epoch];
  for (const part of parts)
    for (const value of part.values)
      values.push(Array.isArray(value) ? (plainArray(value) ?? value) : value);
  try {
    await pool.query({ ...statement, values, rowMode: "array" });
  } catch (error) {
    if ((error as { code?: string }).code === "22012") throw new Fenced(at.name);
    throw error;
  }
}

/** Which checkpoints move together changes little, and to plan for them takes seven times as long as to move them. What is more is planned each time. */
const maxMoveStatements = 50;
const moveStatements = new Map<string, { readonly name?: string; readonly text: string }>();

function moveStatement(schemas: readonly string[]): { readonly name?: string; text: string } {
  const key = schemas.join("\u001f");
  const known = moveStatements.get(key);
  if (known) return known;
  const updates = schemas.map(
    (schema, index) => `moved_${index} as (
      update ${quoteSchema(schema)}.checkpoint set position = $${index * 4 + 1}, updated_at = now()
      where name = $${index * 4 + 2} and position = $${index * 4 + 3} and epoch = $${index * 4 + 4} returning name)`,
  );
  const text = `with ${updates.join(", ")} ${schemas.map((_, index) => `select name from moved_${index}`).join(" union all ")}`;
  if (moveStatements.size >= maxMoveStatements) return { text };
  const statement = { name: `move_${moveStatements.size}`, text };
  moveStatements.set(key, statement);
  return statement;
}

/** Moves checkpoints in one commit, each by a compare-and-set of its own; gives the names of those that moved. */
export async function moveAll(pool: pg.Pool, moves: readonly Move[]): Promise<ReadonlySet<string>> {
  // Always in the same order, so that an owner that is gone and its successor cannot wait for each other.
  const ordered = moves.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  const { rows } = await pool.query<{ name: string }>({
    ...moveStatement(ordered.map(({ schema }) => schema)),
    values: ordered.flatMap(({ to, name, from, epoch }) => [to, name, from, epoch]),
  });
  return new Set(rows.map(({ name }) => name));
}
