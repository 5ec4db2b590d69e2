import type { OwnTables } from "@heliograph/runtime";
import type pg from "pg";

/** When keys were last used, in the database of their environment. */
export const keyUseTables: OwnTables = {
  schema: "control_keys",
  migrations: [
    `create table control_keys.use (
  key_id text primary key,
  used_at timestamptz not null
) with (fillfactor = 70);`,
  ],
};

/** One write a key and minute, however many processes it is used at. */
const sampleSeconds = 60;

/** Notes the uses, epoch ms by key. */
export async function writeUses(pool: pg.Pool, uses: ReadonlyMap<string, number>): Promise<void> {
  await pool.query({
    name: "control.key_use",
    text: `insert into control_keys.use as known (key_id, used_at)
      select key_id, to_timestamp(at / 1000.0) from unnest($1::text[], $2::float8[]) as t(key_id, at) order by key_id
      on conflict (key_id) do update set used_at = excluded.used_at
      where known.used_at <= excluded.used_at - make_interval(secs => ${sampleSeconds})`,
    values: [[...uses.keys()], [...uses.values()]],
  });
}

/** RFC 3339 in UTC by key, of those that were ever used. */
export async function readUses(
  pool: pg.Pool,
  keys: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (keys.length === 0) return new Map();
  const { rows } = await pool.query<{ key_id: string; used_at: Date }>({
    name: "control.key_use_read",
    text: "select key_id, used_at from control_keys.use where key_id = any($1)",
    values: [keys],
  });
  return new Map(rows.map(({ key_id, used_at }) => [key_id, used_at.toISOString()]));
}
