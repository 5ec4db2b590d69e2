import type pg from "pg";

/** A copy that has not shown itself for so long is gone, and others take over what was its. */
const goneAfterSeconds = 5;

/** Shows that a copy runs these divided consumers, and gives the copies of each that do. */
export async function showCopy(
  pool: pg.Pool,
  id: string,
  consumers: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await pool.query<{ consumer: string; ids: string[] }>({
    name: "runtime_copies",
    text: `with mine as (
        insert into runtime.copies (consumer, id) select unnest($2::text[]), $1
        on conflict (consumer, id) do update set seen_at = now() returning consumer, id),
      gone as (delete from runtime.copies where seen_at < now() - interval '1 minute' and id <> $1)
      select consumer, array_agg(id::text) as ids from (
        select consumer, id from mine union all
        select consumer, id from runtime.copies where consumer = any($2) and id <> $1 and seen_at > now() - interval '${goneAfterSeconds} seconds') as shown
      group by consumer`,
    values: [id, consumers],
  });
  return new Map(rows.map(({ consumer, ids }) => [consumer, ids]));
}

/** Tells the others at once that a copy stops: they wait for each of its shards from then on. */
export const hideCopy = (pool: pg.Pool, id: string): Promise<unknown> =>
  pool.query("delete from runtime.copies where id = $1", [id]);
