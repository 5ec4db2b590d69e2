import type { WritePart } from "@heliograph/runtime";
import type pg from "pg";

export const activityDdl = `
create table if not exists {schema}.activity (
  contact_id text primary key,
  partner text not null,
  conversations int not null,
  messages int not null
) with (fillfactor = 70);
`;

export type Activity = { readonly conversations: number; readonly messages: number };

/** A replayed batch is fenced by its checkpoint, so an event is counted once. */
export function addActivity(
  counts: ReadonlyMap<string, Activity & { readonly partner: string }>,
): readonly WritePart[] {
  if (counts.size === 0) return [];
  const values = [...counts.values()];
  return [
    {
      name: "contact_activity_add",
      sql: `insert into {schema}.activity as a (contact_id, partner, conversations, messages) select * from unnest($1::text[], $2::text[], $3::int[], $4::int[])
        on conflict (contact_id) do update set conversations = a.conversations + excluded.conversations, messages = a.messages + excluded.messages`,
      values: [
        [...counts.keys()],
        values.map(({ partner }) => partner),
        values.map(({ conversations }) => conversations),
        values.map(({ messages }) => messages),
      ],
    },
  ];
}

/** What there is with these contacts together, as far as the projector has come. */
export async function readActivity(
  pool: pg.Pool,
  contactIds: readonly string[],
): Promise<Activity> {
  const { rows } = await pool.query<Activity>({
    name: "contact_activity_sum",
    text: `select coalesce(sum(conversations), 0)::int as conversations, coalesce(sum(messages), 0)::int as messages
      from contact_activity.activity where contact_id = any($1)`,
    values: [contactIds],
  });
  return rows[0]!;
}
