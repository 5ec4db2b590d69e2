import { quoteSchema } from "@heliograph/runtime";
import type pg from "pg";

/**
 * Parts of messages from people that came each by itself. What they say is in the log; `whole` is a name of the sender, the address and the reference that tells nothing of them. One that is
 * done stays for a while, so that it is not taken for a new message when it comes again.
 */
export const partsDdl = `
create table if not exists {schema}.parts (
  whole text not null,
  number int not null,
  total int not null,
  callback_id text not null,
  received_at timestamptz not null,
  done boolean not null default false,
  primary key (whole, number)
);
create index if not exists parts_open on {schema}.parts (received_at) where not done;
`;

export type PartRow = {
  readonly whole: string;
  readonly number: number;
  readonly total: number;
  readonly callback_id: string;
  readonly received_at: Date;
  readonly done: boolean;
};

/** A part that is there already is left as it is. What came before `forgotten` belongs to an earlier message with the same reference. */
export async function addPart(
  pool: pg.Pool,
  schema: string,
  { whole, number, total, callback_id, received_at }: Omit<PartRow, "done">,
  forgotten: Date,
): Promise<void> {
  const table = `${quoteSchema(schema)}.parts`;
  await pool.query({
    name: `parts.forget.${schema}`,
    text: `delete from ${table} where whole = $1 and received_at < $2`,
    values: [whole, forgotten],
  });
  await pool.query({
    name: `parts.add.${schema}`,
    text: `insert into ${table} (whole, number, total, callback_id, received_at) values ($1, $2, $3, $4, $5) on conflict do nothing`,
    values: [whole, number, total, callback_id, received_at],
  });
}

export async function readParts(
  pool: pg.Pool,
  schema: string,
  whole: string,
): Promise<readonly PartRow[]> {
  const { rows } = await pool.query<PartRow>({
    name: `parts.read.${schema}`,
    text: `select whole, number, total, callback_id, received_at, done from ${quoteSchema(schema)}.parts where whole = $1 order by received_at, number`,
    values: [whole],
  });
  return rows;
}

/** The messages of which something has waited longest, at most a hundred. */
export async function waitingParts(
  pool: pg.Pool,
  schema: string,
): Promise<readonly Pick<PartRow, "whole" | "received_at">[]> {
  const { rows } = await pool.query<Pick<PartRow, "whole" | "received_at">>({
    name: `parts.waiting.${schema}`,
    text: `select whole, min(received_at) as received_at from ${quoteSchema(schema)}.parts where not done group by whole order by 2 limit 100`,
  });
  return rows;
}

export async function partsDone(
  pool: pg.Pool,
  schema: string,
  rows: readonly PartRow[],
): Promise<void> {
  await pool.query({
    name: `parts.done.${schema}`,
    text: `update ${quoteSchema(schema)}.parts p set done = true
      from unnest($1::text[], $2::int[]) as d(whole, number) where p.whole = d.whole and p.number = d.number`,
    values: [rows.map(({ whole }) => whole), rows.map(({ number }) => number)],
  });
}
