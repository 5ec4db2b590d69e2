import pg from "pg";

/** Letters and digits of which ids are made, 26 of them behind the prefix; the first five are those of a time. */
const digit = "[0-9A-HJKMNP-TV-Z]";
const schemasLeftOut = ["pg_catalog", "information_schema", "runtime", "vault", "control"];

type Column = { readonly name: string; readonly type: string };
type Table = {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly Column[];
};

/**
 * Fills the tables of an environment whose services stand still with copies of what they stored of real messages, other ids in place of theirs, until there are `copies` more of each. What has a row for each message
 * is copied, the message's events included; wallets and sums are not. Every consumer is put at the end of the log. Gives the rows that were written.
 */
export async function multiply(
  connection: pg.ClientConfig,
  messages: number,
  copies: number,
): Promise<number> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    await client.query("set synchronous_commit = off");
    const before = await oneOf(client, "select position from log.head");
    const tables = await tablesOf(client, messages);
    let rows = 0;
    for (const table of tables)
      await client.query(
        `create temporary table "base_${table.schema}_${table.name}" as select * from "${table.schema}"."${table.name}"`,
      );
    await client.query(
      "create temporary table base_log as select * from log.events where stream like 'message-%' order by position",
    );
    for (let copy = 1; copy <= copies; copy++) {
      const code = codeOf(copy);
      rows += await copyLog(client, code);
      for (const table of tables) rows += await copyTable(client, table, code, copy);
    }
    const head = await oneOf(client, "select position from log.head");
    await moveCheckpoints(client, before, head);
    await client.query("vacuum analyze");
    return rows;
  } finally {
    await client.end();
  }
}

const oneOf = async (client: pg.Client, text: string): Promise<string> =>
  (await client.query({ text, rowMode: "array" })).rows[0][0] as string;

/** Five digits that no time has. */
const codeOf = (copy: number): string => `Z${String(copy).padStart(4, "0")}`;
const renamed = (column: string, code: string): string =>
  `regexp_replace(${column}, '${digit}{5}(${digit}{21})', '${code}\\1', 'g')`;

/** Those with a row for each message, or nearly. */
async function tablesOf(client: pg.Client, messages: number): Promise<readonly Table[]> {
  await client.query("analyze");
  const { rows } = await client.query(
    `select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind = 'r' and c.reltuples >= $1 and n.nspname <> all($2) and n.nspname <> 'log'`,
    [messages * 0.8, schemasLeftOut],
  );
  const tables: Table[] = [];
  for (const { schema, name } of rows) {
    const { rows: columns } = await client.query(
      "select column_name as name, data_type as type from information_schema.columns where table_schema = $1 and table_name = $2 and is_generated = 'NEVER' order by ordinal_position",
      [schema, name],
    );
    tables.push({ schema, name, columns });
  }
  return tables;
}

async function copyLog(client: pg.Client, code: string): Promise<number> {
  const { rowCount } = await client.query(
    `insert into log.events (position, stream, revision, id, type, version, recorded_at, data, metadata)
     select h.position + row_number() over (order by b.position), ${renamed("b.stream", code)}, b.revision, gen_random_uuid(), b.type, b.version, b.recorded_at,
       replace(b.data, substr(b.stream, 9), substr(${renamed("b.stream", code)}, 9)), b.metadata from base_log b, log.head h`,
  );
  // The bench does not verify the chain; to seal a hundred million events takes an hour.
  await client.query("update log.head set position = position + $1, sealed = position + $1", [
    rowCount,
  ]);
  return rowCount!;
}

async function copyTable(
  client: pg.Client,
  { schema, name, columns }: Table,
  code: string,
  copy: number,
): Promise<number> {
  const base = `"base_${schema}_${name}"`;
  const values = columns.map(({ name: column, type }) => {
    const quoted = `b."${column}"`;
    if (/partner/.test(column)) return quoted;
    if (type === "text" || type === "character varying") return renamed(quoted, code);
    if (type === "uuid") return "gen_random_uuid()";
    if (type === "bigint" && /position|sequence/.test(column))
      return `${quoted} + ${copy} * (select max("${column}") - min("${column}") + 1 from ${base})`;
    return quoted;
  });
  const names = columns.map(({ name: column }) => `"${column}"`).join(", ");
  const { rowCount } = await client.query(
    `insert into "${schema}"."${name}" (${names}) overriding system value select ${values.join(", ")} from ${base} b on conflict do nothing`,
  );
  return rowCount!;
}

/** Those that had passed what was there have passed the copies too. */
async function moveCheckpoints(client: pg.Client, from: string, to: string): Promise<void> {
  const { rows } = await client.query(
    "select table_schema as schema from information_schema.tables where table_name = 'checkpoint'",
  );
  for (const { schema } of rows) {
    const { rowCount } = await client.query(
      `update "${schema}".checkpoint set position = $1 where position <= $2`,
      [to, from],
    );
    if (rowCount === 0) throw new Error(`${schema} has no checkpoint at the end of the log`);
  }
}
