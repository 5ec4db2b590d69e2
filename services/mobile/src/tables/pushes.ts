import { accountSql } from "@heliograph/contracts";
import { inSchema, quoteSchema, type WritePart } from "@heliograph/runtime";
import type pg from "pg";

/**
 * Who has which conversation, as of the reactor's checkpoint, and what is pushed to devices of theirs. A push is `calling` before its provider is called: whatever is found so after a crash may
 * have been sent, and is not sent again.
 */
export const pushDdl = `create table if not exists {schema}.holders (
  conversation_id text primary key,
  agent_id text not null
);
create table if not exists {schema}.pushes (
  id uuid primary key,
  partner text not null,
  agent_id text not null,
  device_id text not null,
  conversation_id text not null,
  kind text not null check (kind in ('assigned', 'message')),
  status text not null check (status in ('due', 'calling', 'sent', 'failed', 'uncertain')),
  tries int not null default 0,
  due_at timestamptz not null default now(),
  expires_at timestamptz not null,
  reason text,
  created_at timestamptz not null default clock_timestamp()
);
create index if not exists pushes_due on {schema}.pushes (due_at) where status = 'due';
create index if not exists pushes_agent on {schema}.pushes (partner, agent_id, created_at);
create index if not exists pushes_age on {schema}.pushes (created_at);`;

/** Whose the conversation is; rows of an earlier release do not say it. */
export const holdersPartnerDdl = "alter table {schema}.holders add column partner text;";

export type PushKind = "assigned" | "message";
export type NewPush = {
  readonly id: string;
  readonly partner: string;
  readonly agentId: string;
  readonly deviceId: string;
  readonly conversationId: string;
  readonly kind: PushKind;
  /** Epoch ms. */
  readonly expiresAt: number;
};

export type Holder = { readonly agentId: string; readonly partner: string };

/** Null: nobody has it. */
export function writeHolders(changes: ReadonlyMap<string, Holder | null>): readonly WritePart[] {
  const held = [...changes].filter((change): change is [string, Holder] => change[1] !== null);
  const left = [...changes].flatMap(([id, holder]) => (holder === null ? [id] : []));
  return [
    ...(held.length === 0
      ? []
      : [
          {
            name: "push_holders",
            sql: `insert into {schema}.holders (conversation_id, agent_id, partner) select * from unnest($1::text[], $2::text[], $3::text[])
              on conflict (conversation_id) do update set agent_id = excluded.agent_id, partner = excluded.partner`,
            values: [
              held.map(([id]) => id),
              held.map(([, { agentId }]) => agentId),
              held.map(([, { partner }]) => partner),
            ],
          },
        ]),
    ...(left.length === 0
      ? []
      : [
          {
            name: "push_left",
            sql: "delete from {schema}.holders where conversation_id = any($1)",
            values: [left],
          },
        ]),
  ];
}

export function writePushes(pushes: readonly NewPush[]): readonly WritePart[] {
  if (pushes.length === 0) return [];
  const column = (key: keyof NewPush): unknown[] => pushes.map((push) => push[key]);
  return [
    {
      name: "push_pushes",
      sql: `insert into {schema}.pushes (id, partner, agent_id, device_id, conversation_id, kind, status, expires_at)
        select id, partner, agent_id, device_id, conversation_id, kind, 'due', to_timestamp(expires_at / 1000.0)
        from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::float8[])
          as n(id, partner, agent_id, device_id, conversation_id, kind, expires_at)
        on conflict (id) do nothing`,
      values: [
        column("id"),
        column("partner"),
        column("agentId"),
        column("deviceId"),
        column("conversationId"),
        column("kind"),
        column("expiresAt"),
      ],
    },
  ];
}

/** A push that is to be called now, with the device as it is now; no token: the device is gone, or another agent's. */
export type TakenPush = {
  readonly id: string;
  readonly partner: string;
  readonly agent_id: string;
  readonly device_id: string;
  readonly session_id: string | null;
  readonly token: string | null;
  readonly conversation_id: string;
  readonly kind: PushKind;
  readonly tries: number;
  readonly expired: boolean;
};

/** The statements of the one who pushes. */
export function openPushes(pool: pg.Pool, schemaName: string) {
  const sql = (text: string): string => inSchema(text, schemaName);
  return {
    async holders(conversations: readonly string[]): Promise<ReadonlyMap<string, string>> {
      const { rows } = await pool.query<{ conversation_id: string; agent_id: string }>(
        sql(
          "select conversation_id, agent_id from {schema}.holders where conversation_id = any($1)",
        ),
        [conversations],
      );
      return new Map(rows.map(({ conversation_id, agent_id }) => [conversation_id, agent_id]));
    },
    /** What a predecessor was calling when it ended: nobody knows what became of it. */
    async giveUpCalls(): Promise<void> {
      await pool.query(
        sql(
          "update {schema}.pushes set status = 'uncertain', reason = 'the process ended during the call' where status = 'calling'",
        ),
      );
    },
    async take(limit: number): Promise<readonly TakenPush[]> {
      const { rows } = await pool.query<TakenPush>(
        sql(`with due as (select id from {schema}.pushes where status = 'due' and due_at <= now() order by due_at limit $1),
          taken as (update {schema}.pushes p set status = 'calling', tries = tries + 1 from due where p.id = due.id returning p.*)
          select t.id, t.partner, t.agent_id, t.device_id, d.session_id, d.token, t.conversation_id, t.kind, t.tries, t.expires_at <= now() as expired
          from taken t left join mobile_devices.devices d on d.id = t.device_id and d.partner = ${accountSql("t.partner")} and d.agent_id = t.agent_id
          order by t.created_at`),
        [limit],
      );
      return rows;
    },
    async finish(
      id: string,
      status: "sent" | "failed" | "uncertain",
      reason: string | null,
    ): Promise<void> {
      await pool.query(sql("update {schema}.pushes set status = $2, reason = $3 where id = $1"), [
        id,
        status,
        reason,
      ]);
    },
    /** Certainly not sent: once more, after a while. */
    async again(id: string, delayMs: number, reason: string): Promise<void> {
      await pool.query(
        sql(
          "update {schema}.pushes set status = 'due', due_at = now() + make_interval(secs => $2), reason = $3 where id = $1",
        ),
        [id, delayMs / 1_000, reason],
      );
    },
    /** When the next one is due, epoch ms. */
    async nextDue(): Promise<number | undefined> {
      const { rows } = await pool.query<{ at: Date }>(
        sql(
          "select due_at as at from {schema}.pushes where status = 'due' order by due_at limit 1",
        ),
      );
      return rows[0]?.at.getTime();
    },
    async purge(): Promise<void> {
      await pool.query(
        sql("delete from {schema}.pushes where created_at < now() - interval '1 day'"),
      );
    },
  };
}
export type Pushes = ReturnType<typeof openPushes>;

export type PushRow = Omit<TakenPush, "session_id" | "token" | "expired"> & {
  readonly status: "due" | "calling" | "sent" | "failed" | "uncertain";
  readonly reason: string | null;
  readonly created_at: Date;
};

/** An agent's pushes of the last day, the newest first. */
export async function pushesOf(
  pool: pg.Pool,
  partner: string,
  agentId: string,
  limit: number,
): Promise<readonly PushRow[]> {
  const { rows } = await pool.query<PushRow>({
    name: "mobile.pushes_of",
    text: `select id, partner, agent_id, device_id, conversation_id, kind, status, tries, reason, created_at from ${quoteSchema("mobile_push")}.pushes
      where partner = $1 and agent_id = $2 order by created_at desc limit $3`,
    values: [partner, agentId, limit],
  });
  return rows;
}
