import { quoteSchema, type WritePart } from "@heliograph/runtime";
import type { ConversationMessage, ConversationState } from "@heliograph/domain";
import { unreadOf } from "@heliograph/domain";
import type pg from "pg";

/** JSON text never holds this control character: joining with it needs none of the escaping that array parameters cost. */
const separator = "\u001e";

export type ChangeRow = {
  readonly partner: string;
  readonly sequence: number;
  readonly conversation_id: string | null;
  readonly message_id: string | null;
  readonly agent_id: string | null;
  readonly team_id: string | null;
  readonly gained: boolean;
};
export type KnownConversation = {
  readonly partner: string;
  readonly state: ConversationState;
  readonly sequence: number;
};
export type MessageRow = {
  readonly partner: string;
  readonly position: bigint;
  readonly body: ConversationMessage;
};
export type TeamRow = {
  readonly id: string;
  readonly partner: string;
  readonly agentIds: readonly string[];
};

export function writeChanges(rows: readonly ChangeRow[]): readonly WritePart[] {
  if (rows.length === 0) return [];
  const column = <Key extends keyof ChangeRow>(key: Key): ChangeRow[Key][] =>
    rows.map((row) => row[key]);
  return [
    {
      name: "mobile_changes",
      sql: `insert into {schema}.changes (partner, sequence, conversation_id, message_id, agent_id, team_id, gained)
        select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[])`,
      values: [
        column("partner"),
        column("sequence"),
        column("conversation_id"),
        column("message_id"),
        column("agent_id"),
        column("team_id"),
        column("gained"),
      ],
    },
  ];
}

/** Where the partners' counters stand after a batch. */
export const writeSequences = (counters: ReadonlyMap<string, number>): readonly WritePart[] =>
  counters.size === 0
    ? []
    : [
        {
          name: "mobile_sequences",
          sql: `insert into {schema}.sequences (partner, sequence) select * from unnest($1::text[], $2::bigint[])
            on conflict (partner) do update set sequence = excluded.sequence`,
          values: [[...counters.keys()], [...counters.values()]],
        },
      ];

export function writeConversations(rows: readonly KnownConversation[]): readonly WritePart[] {
  if (rows.length === 0) return [];
  return [
    {
      name: "mobile_conversations",
      sql: `insert into {schema}.conversations (id, partner, contact_id, agent_id, team_id, status, unread, sequence, state)
        select id, partner, contact_id, agent_id, team_id, status, unread, sequence, state::jsonb
        from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::bigint[], string_to_array($9::text, E'\\x1e'))
          as n(id, partner, contact_id, agent_id, team_id, status, unread, sequence, state)
        on conflict (id) do update set contact_id = excluded.contact_id, agent_id = excluded.agent_id, team_id = excluded.team_id, status = excluded.status,
          unread = excluded.unread, sequence = excluded.sequence, state = excluded.state`,
      values: [
        rows.map(({ state }) => state.id),
        rows.map(({ partner }) => partner),
        rows.map(({ state }) => state.contact_id),
        rows.map(({ state }) => state.assignee?.id ?? null),
        rows.map(({ state }) => state.team),
        rows.map(({ state }) => state.status),
        rows.map(({ state }) => unreadOf(state)),
        rows.map(({ sequence }) => sequence),
        rows.map(({ state }) => JSON.stringify(state)).join(separator),
      ],
    },
  ];
}

export function writeMessages(rows: readonly MessageRow[]): readonly WritePart[] {
  if (rows.length === 0) return [];
  return [
    {
      name: "mobile_messages",
      sql: `insert into {schema}.messages (id, partner, conversation_id, position, body)
        select id, partner, conversation_id, position, body::jsonb
        from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], string_to_array($5::text, E'\\x1e')) as n(id, partner, conversation_id, position, body)
        on conflict (id) do nothing`,
      values: [
        rows.map(({ body }) => body.id),
        rows.map(({ partner }) => partner),
        rows.map(({ body }) => body.conversation_id),
        rows.map(({ position }) => String(position)),
        rows.map(({ body }) => JSON.stringify(body)).join(separator),
      ],
    },
  ];
}

export function writeTeams(rows: readonly TeamRow[]): readonly WritePart[] {
  if (rows.length === 0) return [];
  return [
    {
      name: "mobile_teams",
      sql: `insert into {schema}.teams (id, partner, agent_ids)
        select id, partner, string_to_array(agents, ' ') from unnest($1::text[], $2::text[], $3::text[]) as n(id, partner, agents)
        on conflict (id) do update set agent_ids = excluded.agent_ids`,
      values: [
        rows.map(({ id }) => id),
        rows.map(({ partner }) => partner),
        rows.map(({ agentIds }) => agentIds.join(" ")),
      ],
    },
  ];
}

/** The reads of the projector. */
export function openStore(pool: pg.Pool, schemaName: string) {
  const schema = quoteSchema(schemaName);
  return {
    async conversations(ids: readonly string[]): Promise<readonly KnownConversation[]> {
      const { rows } = await pool.query<KnownConversation>(
        `select partner, sequence::float8 as sequence, state from ${schema}.conversations where id = any($1)`,
        [ids],
      );
      return rows;
    },
    /** In which conversations messages are, by their ids. */
    async places(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
      const { rows } = await pool.query<{ id: string; conversation_id: string }>(
        `select id, conversation_id from ${schema}.messages where id = any($1)`,
        [ids],
      );
      return new Map(rows.map(({ id, conversation_id }) => [id, conversation_id]));
    },
    /** The newest of a contact's conversations that are not closed. */
    async openOf(contacts: readonly string[], limit: number): Promise<readonly string[]> {
      const { rows } = await pool.query<{ id: string }>(
        `select id from ${schema}.conversations where contact_id = any($1) and status <> 'closed' order by sequence desc limit $2`,
        [contacts, limit],
      );
      return rows.map(({ id }) => id);
    },
    async counters(partners: readonly string[]): Promise<ReadonlyMap<string, number>> {
      const { rows } = await pool.query<{ partner: string; sequence: number }>(
        `select partner, sequence::float8 as sequence from ${schema}.sequences where partner = any($1)`,
        [partners],
      );
      return new Map(rows.map(({ partner, sequence }) => [partner, sequence]));
    },
    async members(teams: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
      const { rows } = await pool.query<{ id: string; agent_ids: readonly string[] }>(
        `select id, agent_ids from ${schema}.teams where id = any($1)`,
        [teams],
      );
      return new Map(rows.map(({ id, agent_ids }) => [id, agent_ids]));
    },
  };
}
