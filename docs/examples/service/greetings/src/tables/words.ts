import type { OwnTables } from "@heliograph/runtime";
import type pg from "pg";

/** What is no fold of the log has numbered migrations, in a schema that no projector owns. */
export const wordTables: OwnTables = {
  schema: "greeting_words",
  migrations: [
    `create table if not exists greeting_words.words (word text primary key);
insert into greeting_words.words values ('Hello') on conflict do nothing;`,
  ],
};

export async function readWord(pool: pg.Pool): Promise<string> {
  const { rows } = await pool.query<{ word: string }>(
    "select word from greeting_words.words limit 1",
  );
  return rows[0]!.word;
}
