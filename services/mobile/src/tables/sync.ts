import { accountSql } from "@heliograph/contracts";
import type pg from "pg";

/**
 * What changed for whom, numbered without a hole for each partner in the order of the log, and what is shown of it. A change holds who saw it then, so that an agent's page is a walk
 * along an index; `gained` marks those who see the conversation from here on. A change without a conversation tells an agent, or all where it names none, to begin anew. Texts of persons are sealed.
 */
export const syncDdl = `
create table if not exists {schema}.changes (
  partner text not null,
  sequence bigint not null,
  conversation_id text,
  message_id text,
  agent_id text,
  team_id text,
  gained boolean not null,
  primary key (partner, sequence)
);
create index if not exists changes_agent on {schema}.changes (partner, agent_id, sequence) where agent_id is not null;
create index if not exists changes_team on {schema}.changes (partner, team_id, sequence) where team_id is not null;
create index if not exists changes_nobody on {schema}.changes (partner, sequence) where agent_id is null and team_id is null;
create table if not exists {schema}.sequences (
  partner text primary key,
  sequence bigint not null
) with (fillfactor = 50);
create table if not exists {schema}.conversations (
  id text primary key,
  partner text not null,
  contact_id text not null,
  agent_id text,
  team_id text,
  status text not null,
  unread int not null,
  sequence bigint not null,
  state jsonb not null
) with (fillfactor = 70);
create index if not exists conversations_contact on {schema}.conversations (partner, contact_id, sequence);
create index if not exists conversations_open on {schema}.conversations (partner, sequence) where status <> 'closed';
create index if not exists conversations_agent on {schema}.conversations (partner, agent_id, sequence) where status <> 'closed' and agent_id is not null;
create index if not exists conversations_team on {schema}.conversations (partner, team_id, sequence) where status <> 'closed' and team_id is not null;
create index if not exists conversations_nobody on {schema}.conversations (partner, sequence) where status <> 'closed' and agent_id is null and team_id is null;
create table if not exists {schema}.messages (
  id text primary key,
  partner text not null,
  conversation_id text not null,
  position bigint not null,
  body jsonb not null
);
create index if not exists messages_conversation on {schema}.messages (conversation_id, position);
create table if not exists {schema}.teams (
  id text primary key,
  partner text not null,
  agent_ids text[] not null
);
create index if not exists teams_partner on {schema}.teams (partner);
`;

/** Who looks: everybody's work, or what an agent and the agent's teams have, and what nobody has. */
export type Viewer = {
  readonly partner: string;
  /** Undefined: sees all. */
  readonly agent: string | undefined;
};

export type Change = {
  readonly sequence: number;
  readonly conversation_id: string | null;
  readonly message_id: string | null;
  readonly agent_id: string | null;
  readonly gained: boolean;
};
export type Changes = {
  readonly rows: readonly Change[];
  /** The partner's newest sequence, as of the same moment. */
  readonly last: number;
};

const teamsOf = `(select id from mobile.teams where partner = ${accountSql("$1::text")} and $2::text = any(agent_ids))`;
const changeColumns = "sequence, conversation_id, message_id, agent_id, gained";
const newestOf = "coalesce((select sequence from mobile.sequences where partner = $1), 0)::float8";

/** Each way of seeing is its own walk along an index; the page is the first of all of them. Both statements see one moment. */
const changesSql = {
  all: `select newest.last, c.sequence::float8 as sequence, c.conversation_id, c.message_id, c.agent_id, c.gained
    from (select ${newestOf} as last, $2::text) newest
    left join lateral (select ${changeColumns} from mobile.changes
      where partner = $1 and sequence > $3 order by sequence limit $4) c on true order by c.sequence`,
  own: `select newest.last, c.sequence::float8 as sequence, c.conversation_id, c.message_id, c.agent_id, c.gained
    from (select ${newestOf} as last) newest
    left join lateral (
      select * from (
        (select ${changeColumns} from mobile.changes
          where partner = $1 and agent_id = $2 and sequence > $3 order by sequence limit $4)
        union
        (select t.* from ${teamsOf} own(id), lateral (select ${changeColumns} from mobile.changes
          where partner = $1 and team_id = own.id and sequence > $3 order by sequence limit $4) t)
        union
        (select ${changeColumns} from mobile.changes
          where partner = $1 and agent_id is null and team_id is null and sequence > $3 order by sequence limit $4)
      ) seen order by sequence limit $4) c on true order by c.sequence`,
};

/** The changes that a viewer saw after a sequence, oldest first. */
export async function readChanges(
  pool: pg.Pool,
  { partner, agent }: Viewer,
  after: number,
  limit: number,
): Promise<Changes> {
  const { rows } = await pool.query<
    Omit<Change, "sequence"> & { last: number; sequence: number | null }
  >({
    name: agent === undefined ? "mobile.changes" : "mobile.own_changes",
    text: agent === undefined ? changesSql.all : changesSql.own,
    values: [partner, agent ?? null, after, limit],
  });
  return {
    last: rows[0]!.last,
    rows: rows.flatMap(({ sequence, conversation_id, message_id, agent_id, gained }) =>
      sequence === null ? [] : { sequence, conversation_id, message_id, agent_id, gained },
    ),
  };
}

const visible = `($2::text is null or c.agent_id = $2 or (c.agent_id is null and c.team_id is null) or c.team_id in ${teamsOf})`;

export type ConversationRow = { readonly id: string; readonly state: unknown };

/** Those of these conversations that the viewer sees now. */
export async function readConversations(
  pool: pg.Pool,
  { partner, agent }: Viewer,
  ids: readonly string[],
): Promise<readonly ConversationRow[]> {
  const { rows } = await pool.query<ConversationRow>({
    name: "mobile.conversations",
    text: `select c.id, c.state from mobile.conversations c where c.partner = $1 and c.id = any($3) and ${visible}`,
    values: [partner, agent ?? null, ids],
  });
  return rows;
}

const open = "status <> 'closed'";
const recentSql = {
  all: `select id, state, unread from mobile.conversations where partner = $1 and $2::text is null and ${open} order by sequence desc limit $3`,
  own: `select id, state, unread from (
      (select * from mobile.conversations where partner = $1 and agent_id = $2 and ${open} order by sequence desc limit $3)
      union all
      (select t.* from ${teamsOf} own(id), lateral (select * from mobile.conversations
        where partner = $1 and team_id = own.id and agent_id is distinct from $2 and ${open} order by sequence desc limit $3) t)
      union all
      (select * from mobile.conversations where partner = $1 and agent_id is null and team_id is null and ${open} order by sequence desc limit $3)
    ) seen order by sequence desc limit $3`,
};

/** The open and snoozed conversations of a viewer that changed last. */
export async function readRecent(
  pool: pg.Pool,
  { partner, agent }: Viewer,
  limit: number,
): Promise<readonly ConversationRow[]> {
  const { rows } = await pool.query<ConversationRow>({
    name: agent === undefined ? "mobile.recent" : "mobile.own_recent",
    text: agent === undefined ? recentSql.all : recentSql.own,
    values: [partner, agent ?? null, limit],
  });
  return rows;
}

/** What is unread in the open conversations of a viewer that changed last, `limit` of them. */
export async function countUnread(
  pool: pg.Pool,
  { partner, agent }: Viewer,
  limit: number,
): Promise<number> {
  const from = agent === undefined ? recentSql.all : recentSql.own;
  const { rows } = await pool.query<{ unread: number }>({
    name: agent === undefined ? "mobile.unread" : "mobile.own_unread",
    text: `select coalesce(sum(unread), 0)::float8 as unread from (${from}) shown`,
    values: [partner, agent ?? null, limit],
  });
  return rows[0]!.unread;
}

/** Messages by their ids, and the newest `perConversation` of whole conversations, oldest first. */
export async function readMessages(
  pool: pg.Pool,
  ids: readonly string[],
  conversations: readonly string[],
  perConversation: number,
): Promise<readonly { readonly id: string; readonly body: unknown }[]> {
  const { rows } = await pool.query<{ id: string; body: unknown }>({
    name: "mobile.messages",
    text: `select id, body from (
        select id, position, body from mobile.messages where id = any($1)
        union
        select m.id, m.position, m.body from unnest($2::text[]) as whole(id), lateral (
          select id, position, body from mobile.messages where conversation_id = whole.id order by position desc limit $3) m
      ) found order by position, id`,
    values: [ids, conversations, perConversation],
  });
  return rows;
}

/** Where the counters of these partners stand. */
export async function readSequences(
  pool: pg.Pool,
  partners: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await pool.query<{ partner: string; sequence: number }>({
    name: "mobile.sequences",
    text: "select partner, sequence::float8 as sequence from mobile.sequences where partner = any($1)",
    values: [partners],
  });
  return new Map(rows.map(({ partner, sequence }) => [partner, sequence]));
}

/** Who saw the changes of a partner after one sequence and up to another. */
export async function readAudience(
  pool: pg.Pool,
  partner: string,
  after: number,
  upTo: number,
): Promise<readonly { readonly agent_id: string | null; readonly team_id: string | null }[]> {
  const { rows } = await pool.query<{ agent_id: string | null; team_id: string | null }>({
    name: "mobile.audience",
    text: "select distinct agent_id, team_id from mobile.changes where partner = $1 and sequence > $2 and sequence <= $3",
    values: [partner, after, upTo],
  });
  return rows;
}

export async function readTeamsOf(
  pool: pg.Pool,
  partner: string,
  agent: string,
): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>({
    name: "mobile.teams_of",
    text: `select id from ${teamsOf} own`,
    values: [partner, agent],
  });
  return rows.map(({ id }) => id);
}
