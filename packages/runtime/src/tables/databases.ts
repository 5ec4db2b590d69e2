import pg from "pg";

/** Creates a database where it is missing; several processes may do so at once. */
export async function createDatabase(client: pg.ClientBase, name: string): Promise<void> {
  const { rowCount } = await client.query("select 1 from pg_database where datname = $1", [name]);
  if (rowCount !== 0) return;
  await client
    .query(
      `create database ${pg.escapeIdentifier(name)} template template0 encoding 'UTF8' locale 'C' strategy file_copy`,
    )
    .catch((error: unknown) => {
      // 42P04 and 23505: another process was first.
      if (!["42P04", "23505"].includes((error as { code?: string }).code ?? "")) throw error;
    });
}

/** The server's version as a number: 170004 is 17.4. */
export async function serverVersion(client: Pick<pg.ClientBase, "query">): Promise<number> {
  const { rows } = await client.query(
    "select current_setting('server_version_num')::integer as version",
  );
  return rows[0].version;
}

/** The database's clock, epoch milliseconds. */
export async function databaseTime(db: Pick<pg.ClientBase, "query">): Promise<number> {
  const { rows } = await db.query<{ time: Date }>("select clock_timestamp() as time");
  return rows[0]!.time.getTime();
}

/** Each schema with numbered migrations, and at which it is. */
export async function schemaVersions(
  db: Pick<pg.ClientBase, "query">,
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await db.query<{ schema: string }>(
    "select table_schema as schema from information_schema.tables where table_name = 'migrations' order by 1",
  );
  const versions = new Map<string, number>();
  for (const { schema } of rows) {
    const { rows: done } = await db.query<{ number: number }>(
      `select coalesce(max(number), 0)::int as number from ${pg.escapeIdentifier(schema)}.migrations`,
    );
    versions.set(schema, done[0]!.number);
  }
  return versions;
}

/** What the database takes on disk. */
export async function databaseBytes(db: Pick<pg.ClientBase, "query">): Promise<number> {
  const { rows } = await db.query<{ bytes: number }>(
    "select pg_database_size(current_database())::float8 as bytes",
  );
  return rows[0]!.bytes;
}
