import type { Channel } from "@heliograph/contracts";
import type pg from "pg";

/**
 * A row for each conversation, made of the fold of its thread, so that a list shows what the conversation itself shows. Texts are as in the events, sealed; they are opened when they are
 * shown. `activity` is the position of the last event that readers notice: lists are in its order, and no two rows have the same.
 */
export const conversationsDdl = `
create table if not exists {schema}.conversations (
  id text primary key,
  partner text not null,
  activity bigint not null,
  status text not null,
  assignee text,
  team text,
  contact text not null,
  channel text not null,
  unread int not null,
  view text not null -- JSON
) with (fillfactor = 70);
create index if not exists conversations_activity on {schema}.conversations (partner, activity desc);
create index if not exists conversations_status on {schema}.conversations (partner, status, activity desc);
create index if not exists conversations_assignee on {schema}.conversations (partner, assignee, activity desc);
create index if not exists conversations_team on {schema}.conversations (partner, team, activity desc);
create index if not exists conversations_contact on {schema}.conversations (partner, contact, activity desc);
create index if not exists conversations_unread on {schema}.conversations (partner, activity desc) where unread > 0;
create table if not exists {schema}.messages (
  partner text not null,
  contact text not null,
  position bigint not null,
  id text not null,
  body text not null, -- JSON: of an outbound message only what its own stream does not tell
  primary key (partner, contact, position)
);
`;

export type ConversationFilter = {
  readonly status?: string | undefined;
  /** null: nobody has it. */
  readonly assignee?: string | null | undefined;
  readonly team?: string | undefined;
  /** Those that are one person now. */
  readonly contacts?: readonly string[] | undefined;
  readonly channel?: Channel | undefined;
  readonly unread?: boolean | undefined;
};
export type ConversationRow = { readonly activity: string; readonly view: string };

/** A partner's conversations, newest activity first: those before an activity, or those nearest after it. */
export async function listConversations(
  pool: pg.Pool,
  query: {
    readonly partner: string;
    readonly limit: number;
    readonly before?: string;
    readonly after?: string;
    readonly filter: ConversationFilter;
  },
): Promise<readonly ConversationRow[]> {
  const backwards = query.after !== undefined;
  const { filter } = query;
  const values: unknown[] = [query.partner, query.limit];
  const conditions = ["partner = $1"];
  const add = (name: string, value: unknown, sql: (parameter: string) => string): string => {
    values.push(value);
    conditions.push(sql(`$${values.length}`));
    return name;
  };
  const bound = query.after ?? query.before;
  // A statement for each set of filters, because a plan for all of them at once would scan.
  const name = [
    bound !== undefined &&
      add("bound", bound, (value) => `activity ${backwards ? ">" : "<"} ${value}`),
    filter.status !== undefined && add("status", filter.status, (value) => `status = ${value}`),
    filter.assignee === null && (conditions.push("assignee is null"), "nobody"),
    typeof filter.assignee === "string" &&
      add("assignee", filter.assignee, (value) => `assignee = ${value}`),
    filter.team !== undefined && add("team", filter.team, (value) => `team = ${value}`),
    filter.contacts !== undefined &&
      add("contact", filter.contacts, (value) => `contact = any(${value}::text[])`),
    filter.channel !== undefined && add("channel", filter.channel, (value) => `channel = ${value}`),
    filter.unread === true && (conditions.push("unread > 0"), "unread"),
    filter.unread === false && (conditions.push("unread = 0"), "read"),
  ].filter((part) => part !== false);
  const { rows } = await pool.query<ConversationRow>({
    name: `conversations_${backwards ? "up" : "down"}_${name.join("_")}`,
    text: `select activity::text, view from conversations.conversations c where ${conditions.join(" and ")}
      order by c.activity ${backwards ? "" : "desc"} limit $2`,
    values,
  });
  return backwards ? rows.reverse() : rows;
}

export type HistoryRow = {
  readonly position: string;
  readonly id: string;
  readonly body: string;
};

/** What was said with contacts that are one person now, newest first. */
export async function listHistory(
  pool: pg.Pool,
  query: {
    readonly partner: string;
    readonly contacts: readonly string[];
    readonly limit: number;
    readonly before?: string;
    readonly after?: string;
  },
): Promise<readonly HistoryRow[]> {
  const backwards = query.after !== undefined;
  const { rows } = await pool.query<HistoryRow>({
    name: `conversations_history_${backwards ? "up" : "down"}`,
    text: `select position::text, id, body from conversations.messages m
      where partner = $1 and contact = any($2::text[]) and ($3::bigint is null or position ${backwards ? ">" : "<"} $3)
      order by m.position ${backwards ? "" : "desc"} limit $4`,
    values: [query.partner, query.contacts, query.after ?? query.before ?? null, query.limit],
  });
  return backwards ? rows.reverse() : rows;
}
