import pg from "pg";

/** As if so much were stored that no plan reads all of a table where an index will do. */
const manyRows = 10_000_000;

type Plan = {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly Schema?: string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly Plans?: readonly Plan[];
};

/** A statement that reads tables from end to end, however large they are. */
export type WholeRead = { readonly text: string; readonly tables: readonly string[] };

/** Notes every statement that this process sends to databases whose names end so, until `stop`. */
export function noteStatements(databases: string): {
  readonly texts: ReadonlySet<string>;
  stop(): void;
} {
  const texts = new Set<string>();
  const { query } = pg.Client.prototype;
  const noting = function (this: pg.Client, ...given: unknown[]): unknown {
    const [first] = given as [string | { readonly text?: string }];
    const text = typeof first === "string" ? first : first.text;
    if (text !== undefined && this.database?.endsWith(databases)) texts.add(text);
    return Reflect.apply(query, this, given);
  };
  pg.Client.prototype.query = noting as typeof query;
  return { texts, stop: () => void (pg.Client.prototype.query = query) };
}

/**
 * Which of these statements would read a table or an index from end to end, planned as prepared statements are, whatever their values. A walk along an index that is limited, or one of those that have
 * only what is open, is none. What the planner is told about sizes is forgotten at the end.
 */
export async function wholeReads(
  pool: pg.Pool,
  texts: Iterable<string>,
): Promise<readonly WholeRead[]> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    await client.query(
      "update pg_class set reltuples = $1, relpages = greatest(1, pg_relation_size(oid) / 8192) where relkind = 'r' and relnamespace::regnamespace::text !~ '^(pg_|information_schema)'",
      [manyRows],
    );
    // Empty tables are read from end to end for nothing; so nothing is where there is another way.
    await client.query("set local enable_seqscan = off");
    const { rows } = await client.query<{ name: string }>(
      "select relname as name from pg_index join pg_class on oid = indexrelid where indpred is not null",
    );
    const partial = new Set(rows.map(({ name }) => name));
    const found: WholeRead[] = [];
    for (const text of texts) {
      if (!/^\s*(with|select|insert|update|delete)\b/i.test(text)) continue;
      const explained = await client.query(`explain (generic_plan, verbose, format json) ${text}`);
      const tables = readWhole(explained.rows[0]["QUERY PLAN"][0].Plan, partial);
      if (tables.length > 0) found.push({ text, tables });
    }
    return found;
  } finally {
    await client.query("rollback");
    client.release();
  }
}

function readWhole(plan: Plan, partial: ReadonlySet<string>, limited = false): readonly string[] {
  const type = plan["Node Type"];
  const walks =
    /^Index (Only )?Scan$/.test(type) &&
    plan["Index Cond"] === undefined &&
    !limited &&
    !partial.has(plan["Index Name"] ?? "");
  const below = (plan.Plans ?? []).flatMap((each) =>
    readWhole(each, partial, limited || type === "Limit"),
  );
  const table = `${plan.Schema}.${plan["Relation Name"]}`;
  return type === "Seq Scan" || walks ? [table, ...below] : below;
}
