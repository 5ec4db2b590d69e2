import type { WritePart } from "@heliograph/runtime";
import type { ThreadConversation, ThreadState } from "@heliograph/domain";
import { shownOf } from "./view.ts";

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
