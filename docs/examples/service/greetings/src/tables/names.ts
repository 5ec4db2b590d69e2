import { ofType, type RecordedEvent } from "@heliograph/log";
import type { WritePart } from "@heliograph/runtime";
import type pg from "pg";

export const namesDdl = `
create table if not exists {schema}.names (
  partner text not null, name text not null, times int not null, primary key (partner, name)
);`;

const isGreeted = ofType("Greeted");

/** One statement for a whole batch. */
export const greetingWrites = (events: readonly RecordedEvent[]): readonly WritePart[] => [
  {
    name: "greetings_names",
    sql: `insert into {schema}.names as n (partner, name, times)
      select partner, name, count(*) from unnest($1::text[], $2::text[]) as t(partner, name) group by partner, name
      on conflict (partner, name) do update set times = n.times + excluded.times`,
    values: [
      events.filter(isGreeted).map(({ metadata }) => metadata.partner),
      events.filter(isGreeted).map(({ data }) => data.name),
    ],
  },
];

/** The names that a partner has greeted, by name. */
export async function readNames(
  pool: pg.Pool,
  partner: string,
): Promise<readonly { readonly name: string; readonly times: number }[]> {
  const { rows } = await pool.query({
    name: "greetings.names",
    text: "select name, times from greetings.names where partner = $1 order by name limit 100",
    values: [partner],
  });
  return rows;
}
