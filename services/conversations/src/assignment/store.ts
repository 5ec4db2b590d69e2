import { quoteSchema, type WritePart } from "@heliograph/runtime";
import type pg from "pg";

type FactKind = "work" | "team" | "presence" | "turns";
export type Fact = { readonly kind: FactKind; readonly id: string; readonly fact: unknown };

/** Everything that was known at the checkpoint. */
export async function readFacts(pool: pg.Pool, schema: string): Promise<readonly Fact[]> {
  const { rows } = await pool.query<{ kind: FactKind; id: string; fact: string }>(
    `select kind, id, fact from ${quoteSchema(schema)}.facts`,
  );
  return rows.map(({ kind, id, fact }) => ({ kind, id, fact: JSON.parse(fact) as unknown }));
}

/** Changed facts; one that is undefined is no more. */
export function writeFacts(facts: readonly Fact[]): readonly WritePart[] {
  const kept = facts.filter(({ fact }) => fact !== undefined);
  const gone = facts.filter(({ fact }) => fact === undefined);
  const parts: WritePart[] = [];
  if (kept.length > 0)
    parts.push({
      name: "assignment_keep",
      sql: `insert into {schema}.facts (kind, id, fact) select * from unnest($1::text[], $2::text[], $3::text[])
        on conflict (kind, id) do update set fact = excluded.fact`,
      values: [
        kept.map(({ kind }) => kind),
        kept.map(({ id }) => id),
        kept.map(({ fact }) => JSON.stringify(fact)),
      ],
    });
  if (gone.length > 0)
    parts.push({
      name: "assignment_drop",
      sql: `delete from {schema}.facts where (kind, id) in (select * from unnest($1::text[], $2::text[]))`,
      values: [gone.map(({ kind }) => kind), gone.map(({ id }) => id)],
    });
  return parts;
}
