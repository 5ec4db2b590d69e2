import type pg from "pg";

/** A copy that has not shown itself for so long is gone, and others take over what was its. */
const goneAfterSeconds = 5;

/** A process that runs divided consumers, as the others see it. */
export type Copy = {
  readonly id: string;
  /** Shards of the consumer that others have to run, if any can. */
  readonly refused: readonly number[];
};

/** Shows that a copy runs these divided consumers, and which of their shards it cannot run; gives the copies of each consumer, in the order of their ids. */
export async function showCopy(
  pool: pg.Pool,
  id: string,
  consumers: ReadonlyMap<string, readonly number[]>,
): Promise<ReadonlyMap<string, readonly Copy[]>> {
  const { rows } = await pool.query<{ consumer: string; copies: Copy[] }>({
    name: "runtime_copies",
    text: `with mine as (
        insert into runtime.copies (consumer, id, refused)
        select given.key, $1, array(select jsonb_array_elements_text(given.value)::int) from jsonb_each($2::jsonb) as given
        on conflict (consumer, id) do update set seen_at = now(), refused = excluded.refused returning consumer, id, refused),
      gone as (delete from runtime.copies where seen_at < now() - interval '1 minute' and id <> $1)
      select consumer, jsonb_agg(jsonb_build_object('id', id, 'refused', refused) order by id) as copies from (
        select consumer, id, refused from mine union all
        select consumer, id, refused from runtime.copies
        where consumer in (select consumer from mine) and id <> $1 and seen_at > now() - interval '${goneAfterSeconds} seconds') as shown
      group by consumer`,
    values: [id, JSON.stringify(Object.fromEntries(consumers))],
  });
  return new Map(rows.map(({ consumer, copies }) => [consumer, copies]));
}

/** Tells the others at once that a copy stops: they wait for each of its shards from then on. */
export const hideCopy = (pool: pg.Pool, id: string): Promise<unknown> =>
  pool.query("delete from runtime.copies where id = $1", [id]);
