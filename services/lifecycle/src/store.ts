import { quoteSchema, type WritePart } from "@heliograph/runtime";
import type pg from "pg";

/** JSON text never holds this control character, so joining with it needs no escaping, which is most of the cost of an array parameter. */
const separator = "\u001e";

export type FeedRow = {
  readonly partner: string;
  readonly sequence: number;
  readonly position: bigint;
  readonly type: string;
  readonly body: string;
  /** What filters look at, as JSON. */
  readonly filtered: string | undefined;
};

/** A batch's events and where its partners' counters stand after it: two statements whatever the batch's size. */
export function writeFeed(
  rows: readonly FeedRow[],
  counters: ReadonlyMap<string, number>,
): WritePart[] {
  return [
    {
      name: "feed_events",
      sql: `insert into {schema}.events (partner, sequence, position, type, body, filtered)
        select * from unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], string_to_array($5::text, E'\\x1e'),
          string_to_array($6::text, E'\\x1e', ''))`,
      values: [
        rows.map((row) => row.partner),
        `{${rows.map((row) => row.sequence).join(",")}}`,
        `{${rows.map((row) => row.position).join(",")}}`,
        `{${rows.map((row) => row.type).join(",")}}`,
        rows.map((row) => row.body).join(separator),
        rows.map((row) => row.filtered ?? "").join(separator),
      ],
    },
    writeCounters(counters),
  ];
}

/** Where the partners' counters stand after a batch. Feed and topics have a table of the same shape, each in its own schema. */
export const writeCounters = (counters: ReadonlyMap<string, number>): WritePart => ({
  name: "feed_sequences",
  sql: `insert into {schema}.sequences (partner, sequence) select * from unnest($1::text[], $2::bigint[])
    on conflict (partner) do update set sequence = excluded.sequence`,
  values: [[...counters.keys()], `{${[...counters.values()].join(",")}}`],
});

/** The topics' own counters: they move with their checkpoint, not with the feed's. */
export const topicsDdl = `create table if not exists {schema}.sequences (
  partner text primary key,
  sequence bigint not null
) with (fillfactor = 50);`;

/** Where the counter of every partner stands that has events. */
export async function readAllCounters(
  pool: pg.Pool,
  schema: string,
): Promise<readonly (readonly [string, number])[]> {
  const { rows } = await pool.query<{ partner: string; sequence: number }>(
    `select partner, sequence::float8 as sequence from ${quoteSchema(schema)}.sequences`,
  );
  return rows.map((row) => [row.partner, row.sequence]);
}

/** Where the counters of these partners stand; a partner without events is missing. `schema` is quoted by the caller. */
export async function readCounters(
  pool: pg.Pool,
  schema: string,
  partners: readonly string[],
): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ partner: string; sequence: number }>(
    `select partner, sequence::float8 as sequence from ${schema}.sequences where partner = any($1)`,
    [partners],
  );
  return new Map(rows.map((row) => [row.partner, row.sequence]));
}
