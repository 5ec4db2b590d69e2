import { quoteSchema, type PartnerClock, type WritePart } from "@heliograph/runtime";
import type pg from "pg";
import type { ThreadConversation, ThreadState } from "@heliograph/domain";
import { shownOf } from "./view.ts";

/** Conversations that rest until a time. A row is one snooze, by the id of its event; it may outlive its snooze, and then wakes nothing. */
export const snoozesDdl = `
create table if not exists {schema}.snoozes (
  event_id uuid primary key,
  thread text not null,
  conversation_id text not null,
  due_at bigint not null -- epoch milliseconds
);
create index if not exists snoozes_due on {schema}.snoozes (due_at);
`;

/** By whose clock it ends; rows of an earlier release name nobody, and end by the real one. */
export const snoozePartnersDdl = `
alter table {schema}.snoozes add column if not exists partner text;
create index if not exists snoozes_due_of_partner on {schema}.snoozes (partner, due_at);
`;

export type Snooze = {
  readonly partner: string | undefined;
  readonly eventId: string;
  readonly thread: string;
  readonly conversationId: string;
  readonly dueAt: number;
};

export const insertSnoozes = (snoozes: readonly Snooze[]): readonly WritePart[] =>
  snoozes.length === 0
    ? []
    : [
        {
          name: "snoozes_insert",
          sql: `insert into {schema}.snoozes (event_id, thread, conversation_id, due_at, partner)
            select * from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[]) on conflict (event_id) do nothing`,
          values: [
            snoozes.map(({ eventId }) => eventId),
            snoozes.map(({ thread }) => thread),
            snoozes.map(({ conversationId }) => conversationId),
            snoozes.map(({ dueAt }) => dueAt),
            snoozes.map(({ partner }) => partner ?? null),
          ],
        },
      ];

export const deleteSnoozes = (eventIds: readonly string[]): readonly WritePart[] => [
  {
    name: "snoozes_delete",
    sql: "delete from {schema}.snoozes where event_id = any($1::uuid[])",
    values: [eventIds],
  },
];

/** When a row is due by the real clock, and the values that tell it; where no clock is ahead, the column and its index do. */
function dueBy(clock: PartnerClock) {
  const moved = [...clock.moved()];
  if (moved.length === 0) return { dueAt: "due_at", values: [], name: "" };
  const ahead = `(select ahead from unnest($1::text[], $2::bigint[]) as clock(of, ahead) where clock.of = partner)`;
  const values = [moved.map(([partner]) => partner), moved.map(([, { aheadMs }]) => aheadMs)];
  return { dueAt: `due_at - coalesce(${ahead}, 0)`, values, name: "_by_clocks" };
}

/** Those that are due, oldest first; they stay until they are deleted with a commit of their owner, who alone takes them. */
export async function dueSnoozes(
  pool: pg.Pool,
  schema: string,
  clock: PartnerClock,
  limit: number,
): Promise<readonly Snooze[]> {
  const { dueAt, values, name } = dueBy(clock);
  const at = values.length;
  const { rows } = await pool.query({
    name: `${schema}_due${name}`,
    text: `select event_id, thread, conversation_id, due_at::float8, partner from ${quoteSchema(schema)}.snoozes where ${dueAt} <= $${at + 1} order by due_at limit $${at + 2}`,
    values: [...values, Date.now(), limit],
  });
  return rows.map((row): Snooze => ({
    partner: row.partner ?? undefined,
    eventId: row.event_id,
    thread: row.thread,
    conversationId: row.conversation_id,
    dueAt: row.due_at,
  }));
}

/** When the next one is due, epoch milliseconds of the real clock. */
export async function nextSnooze(
  pool: pg.Pool,
  schema: string,
  clock: PartnerClock,
): Promise<number | undefined> {
  const { dueAt, values, name } = dueBy(clock);
  const { rows } = await pool.query({
    name: `${schema}_next${name}`,
    text: `select min(${dueAt})::float8 as due_at from ${quoteSchema(schema)}.snoozes`,
    values,
  });
  return rows[0]?.due_at ?? undefined;
}

export type Row = { readonly thread: ThreadState; readonly conversation: ThreadConversation };
export type MessageRow = {
  readonly partner: string;
  readonly contact: string;
  readonly position: bigint;
  readonly id: string;
  readonly body: object;
};

/** Each conversation as it stands after the batch; one row is written once. */
export const upsertConversations = (rows: readonly Row[]): readonly WritePart[] =>
  rows.length === 0
    ? []
    : [
        {
          name: "conversations_upsert",
          sql: `insert into {schema}.conversations (id, partner, activity, status, assignee, team, contact, channel, unread, view)
            select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::int[], $10::text[])
            on conflict (id) do update set activity = excluded.activity, status = excluded.status, assignee = excluded.assignee, team = excluded.team,
              unread = excluded.unread, view = excluded.view`,
          values: [
            rows.map(({ conversation }) => conversation.id),
            rows.map(({ thread }) => thread.partner),
            rows.map(({ conversation }) => conversation.activity),
            rows.map(({ conversation }) => conversation.status),
            rows.map(({ conversation }) => conversation.assignee?.id ?? null),
            rows.map(({ conversation }) => conversation.team ?? null),
            rows.map(({ conversation }) => conversation.contactId),
            rows.map(({ thread }) => thread.channel),
            rows.map(({ conversation }) => conversation.unread),
            rows.map(({ thread, conversation }) => JSON.stringify(shownOf(thread, conversation))),
          ],
        },
      ];

/** A replayed batch is fenced by its checkpoint, so an event comes here once. */
export const insertMessages = (rows: readonly MessageRow[]): readonly WritePart[] =>
  rows.length === 0
    ? []
    : [
        {
          name: "conversations_messages",
          sql: `insert into {schema}.messages (partner, contact, position, id, body)
            select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[])`,
          values: [
            rows.map(({ partner }) => partner),
            rows.map(({ contact }) => contact),
            rows.map(({ position }) => position),
            rows.map(({ id }) => id),
            rows.map(({ body }) => JSON.stringify(body)),
          ],
        },
      ];
