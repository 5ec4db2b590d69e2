import { readSketch, writeSketch } from "@heliograph/domain";
import { type WritePart, quoteSchema } from "@heliograph/runtime";
import type pg from "pg";
import { type Book, type NewName, bookName, emptyBook } from "./names.ts";
import type { LifeEvent, WrittenOff } from "./life.ts";
import { type Grain, type Row, type RowKey, grains, newRow } from "./rows.ts";

const keyColumns = {
  partner: "text",
  at: "int",
  kind: "smallint",
  tag: "text",
  channel: "text",
  country: "text",
  template: "text",
  gateway: "text",
  status: "smallint",
  currency: "text",
} as const;
const names = Object.keys(keyColumns) as (keyof typeof keyColumns)[];
const key = names.join(", ");
const keyArrays = names.map((name, index) => `$${index + 1}::${keyColumns[name]}[]`).join(", ");
const columnsOf = (keys: readonly RowKey[]): unknown[] =>
  names.map((name) => keys.map((each) => each[name]));

type Counts = {
  readonly messages: string;
  readonly segments: string;
  readonly cost: string;
  readonly to_sent: Buffer;
  readonly to_delivered: Buffer;
};

/** Rows as they are in the tables, in the order of their keys; new ones where there are none. One statement for each table. */
export async function loadRows(
  pool: pg.Pool,
  schema: string,
  keys: readonly RowKey[],
): Promise<readonly Row[]> {
  const loaded = await Promise.all(grains.map((grain) => loadGrain(pool, schema, grain, keys)));
  return loaded.flat();
}

async function loadGrain(
  pool: pg.Pool,
  schema: string,
  grain: Grain,
  wanted: readonly RowKey[],
): Promise<readonly Row[]> {
  const keys = wanted.filter((each) => each.grain === grain);
  if (keys.length === 0) return [];
  // Each is looked up by the primary key: a join may be planned as a scan while the table is young.
  const { rows } = await pool.query<Counts & { n: string }>({
    name: `${schema}.load_${grain}`,
    text: `select w.n::text, r.messages::text, r.segments::text, r.cost::text, r.to_sent, r.to_delivered
      from unnest(${keyArrays}) with ordinality as w(${key}, n)
      cross join lateral (select * from ${quoteSchema(schema)}.${grain} t where ${names.map((name) => `t.${name} = w.${name}`).join(" and ")} limit 1) r`,
    values: columnsOf(keys),
  });
  const found = keys.map(newRow);
  for (const { n, messages, segments, cost, to_sent, to_delivered } of rows)
    found[Number(n) - 1] = {
      key: keys[Number(n) - 1]!,
      stored: true,
      messages: Number(messages),
      segments: Number(segments),
      costMicros: BigInt(cost),
      toSent: readSketch(to_sent),
      toDelivered: readSketch(to_delivered),
    };
  return found;
}

/** Rows that a batch has changed: one statement for each table, and one more where rows came to nothing. */
export const writeRows = (changed: readonly Row[]): readonly WritePart[] =>
  grains.flatMap((grain) => {
    const rows = changed.filter((row) => row.key.grain === grain);
    const full = rows.filter((row) => row.messages > 0);
    const empty = rows.filter((row) => row.messages === 0 && row.stored);
    return [
      ...(full.length === 0 ? [] : [upsert(grain, full)]),
      ...(empty.length === 0 ? [] : [remove(grain, empty)]),
    ];
  });

const upsert = (grain: Grain, rows: readonly Row[]): WritePart => ({
  name: `usage_${grain}`,
  sql: `insert into {schema}.${grain} (${key}, messages, segments, cost, to_sent, to_delivered)
    select * from unnest(${keyArrays}, $11::bigint[], $12::bigint[], $13::bigint[], $14::bytea[], $15::bytea[])
    on conflict (${key}) do update set messages = excluded.messages, segments = excluded.segments, cost = excluded.cost,
      to_sent = excluded.to_sent, to_delivered = excluded.to_delivered`,
  values: [
    ...columnsOf(rows.map((row) => row.key)),
    rows.map((row) => row.messages),
    rows.map((row) => row.segments),
    rows.map((row) => row.costMicros),
    rows.map((row) => writeSketch(row.toSent)),
    rows.map((row) => writeSketch(row.toDelivered)),
  ],
});

const remove = (grain: Grain, rows: readonly Row[]): WritePart => ({
  name: `usage_${grain}_none`,
  sql: `delete from {schema}.${grain} where ctid = any(array(
    select (select t.ctid from {schema}.${grain} t where ${names.map((name) => `t.${name} = w.${name}`).join(" and ")})
    from unnest(${keyArrays}) as w(${key})))`,
  values: columnsOf(rows.map((row) => row.key)),
});

/** The names of these days as they are stored. */
export async function loadBooks(
  pool: pg.Pool,
  schema: string,
  days: readonly { readonly partner: string; readonly day: number }[],
): Promise<ReadonlyMap<string, Book>> {
  const books = new Map(days.map(({ partner, day }) => [bookName(partner, day), emptyBook()]));
  const { rows } = await pool.query<NewName>({
    name: `${schema}.load_names`,
    text: `select n.partner, n.day, n.kind, n.name from unnest($1::text[], $2::int[]) as w(partner, day)
      cross join lateral (select * from ${quoteSchema(schema)}.names t where t.partner = w.partner and t.day = w.day) n`,
    values: [days.map(({ partner }) => partner), days.map(({ day }) => day)],
  });
  for (const { partner, day, kind, name } of rows)
    books.get(bookName(partner, day))![kind].add(name);
  return books;
}

export const writeNames = (added: readonly NewName[]): readonly WritePart[] =>
  added.length === 0
    ? []
    : [
        {
          name: "usage_names",
          sql: `insert into {schema}.names (partner, day, kind, name) select * from unnest($1::text[], $2::int[], $3::text[], $4::text[])`,
          values: [
            added.map(({ partner }) => partner),
            added.map(({ day }) => day),
            added.map(({ kind }) => kind),
            added.map(({ name }) => name),
          ],
        },
      ];

/** Where these messages were written off, as far as they were. */
export async function loadWrittenOff(
  pool: pg.Pool,
  schema: string,
  messageIds: readonly string[],
): Promise<ReadonlyMap<string, readonly LifeEvent[]>> {
  const { rows } = await pool.query<{ message_id: string; position: string }>({
    name: `${schema}.load_written_off`,
    text: `select message_id, position::text from ${quoteSchema(schema)}.written_off where message_id = any($1::text[]) order by written_off.position`,
    values: [messageIds],
  });
  const found = new Map<string, LifeEvent[]>();
  for (const { message_id, position } of rows) {
    const event = { type: "FundsWrittenOff", position: BigInt(position) } as const;
    found.set(message_id, [...(found.get(message_id) ?? []), event]);
  }
  return found;
}

export function writeWrittenOff(events: readonly WrittenOff[]): readonly WritePart[] {
  const rows = events.flatMap(({ position, data, metadata: { partner = "" } }) =>
    data.entries.map(({ message_id }) => ({ partner, message_id, position })),
  );
  if (rows.length === 0) return [];
  return [
    {
      name: "usage_written_off",
      sql: `insert into {schema}.written_off (partner, message_id, position) select * from unnest($1::text[], $2::text[], $3::bigint[]) on conflict do nothing`,
      values: [
        rows.map(({ partner }) => partner),
        rows.map(({ message_id }) => message_id),
        rows.map(({ position }) => position),
      ],
    },
  ];
}
