import pg from "pg";

/** A newer release has changed the tables: this one does not know what they mean, and starts no work on them. */
export class SchemaTooNew extends Error {
  override readonly name = "StartError";
}

/**
 * Brings one schema up to date, inside the caller's transaction and under a lock of the caller's. Migrations are numbered from 1 by their place; each runs
 * once, in order, and `<schema>.migrations` records it. Forward only: one that was released is never edited, the next one is added. The first may meet
 * tables that were made before they were numbered, and so creates only what is missing. Throws SchemaTooNew.
 */
export async function applyMigrations(
  client: pg.ClientBase,
  schema: string,
  migrations: readonly string[],
): Promise<void> {
  const name = pg.escapeIdentifier(schema);
  await client.query(`create schema if not exists ${name}`);
  await client.query(
    `create table if not exists ${name}.migrations (number integer primary key, applied_at timestamptz not null default now())`,
  );
  const { rows } = await client.query<{ done: number }>(
    `select coalesce(max(number), 0)::int as done from ${name}.migrations`,
  );
  const { done } = rows[0]!;
  if (done > migrations.length)
    throw new SchemaTooNew(
      `the tables of ${schema} belong to a newer release: they are at migration ${done}, and this one knows ${migrations.length}`,
    );
  for (const [index, sql] of migrations.entries()) {
    if (index < done) continue;
    await client.query(sql);
    await client.query(`insert into ${name}.migrations (number) values ($1)`, [index + 1]);
  }
}
