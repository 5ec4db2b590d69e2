import type { WritePart } from "@heliograph/runtime";
import type pg from "pg";

export const sendersDdl = `
create table if not exists {schema}.last_sender (
  gateway text primary key,
  partner text not null
) with (fillfactor = 50);
`;

export const upsertSenders = (last: ReadonlyMap<string, string>): readonly WritePart[] =>
  last.size === 0
    ? []
    : [
        {
          name: "contact_senders_last",
          sql: `insert into {schema}.last_sender (gateway, partner) select * from unnest($1::text[], $2::text[])
            on conflict (gateway) do update set partner = excluded.partner where last_sender.partner <> excluded.partner`,
          values: [[...last.keys()], [...last.values()]],
        },
      ];

/** The partner who last sent through a gateway, by its name. */
export async function lastSender(pool: pg.Pool, gateway: string): Promise<string | undefined> {
  const { rows } = await pool.query<{ partner: string }>({
    name: "contact_senders_of",
    text: "select partner from contact_senders.last_sender where gateway = $1",
    values: [gateway],
  });
  return rows[0]?.partner;
}
