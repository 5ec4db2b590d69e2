import { inSchema, type WritePart } from "@heliograph/runtime";
import type pg from "pg";
import type { TimerKind } from "./decide.ts";

/**
 * `intents`: one row per group of provider calls, written durably before the first of them, removed when all their outcomes are in the log.
 * `timers`: one row per message that waits. `epoch` is that of the owner who has taken the row into memory; a successor takes it again.
 */
export const ddl = `
create table if not exists {schema}.intents (
  id text primary key,
  epoch int not null,
  calls text not null,
  created_at timestamptz not null default now()
);
create table if not exists {schema}.timers (
  message_id text primary key,
  due_at bigint not null,
  kind text not null,
  epoch int not null default 0
);
create index if not exists timers_due on {schema}.timers (due_at);
`;

/** A call as the intent's row keeps it: message, attempt, number of the outcome, gateway. */
export type IntendedCall = readonly [
  messageId: string,
  attempt: number,
  call: number,
  gateway: string,
];
export type Intent = { readonly id: string; readonly calls: readonly IntendedCall[] };
/** Due times are epoch ms by this service's clock. */
export type Timer = { readonly dueAt: number; readonly kind: TimerKind };

export const insertIntent = (
  id: string,
  epoch: number,
  calls: readonly IntendedCall[],
): WritePart => ({
  name: "intent",
  sql: "insert into {schema}.intents (id, epoch, calls) values ($1, $2, $3)",
  values: [id, epoch, JSON.stringify(calls)],
});

export const deleteIntents = (ids: readonly string[]): WritePart => ({
  name: "intents_done",
  sql: "delete from {schema}.intents where id = any($1::text[])",
  values: [ids],
});

/** A timer that is set belongs to nobody until it is taken. */
export function upsertTimers(timers: ReadonlyMap<string, Timer>): WritePart {
  const rows = [...timers];
  return {
    name: "timers",
    sql: `insert into {schema}.timers (message_id, due_at, kind)
      select * from unnest($1::text[], $2::bigint[], $3::text[])
      on conflict (message_id) do update set due_at = excluded.due_at, kind = excluded.kind, epoch = 0`,
    values: [
      rows.map(([id]) => id),
      rows.map(([, { dueAt }]) => Math.ceil(dueAt)),
      rows.map(([, { kind }]) => kind),
    ],
  };
}

export const deleteTimers = (messageIds: readonly string[]): WritePart => ({
  name: "timers_done",
  sql: "delete from {schema}.timers where message_id = any($1::text[])",
  values: [messageIds],
});

export type Store = {
  /** Intents of owners before this one: their outcomes may be unknown. */
  openIntents(): Promise<readonly Intent[]>;
  /** Takes up to `limit` timers that are due, the longest due first; each is given once to an owner. */
  takeDue(now: number, limit: number): Promise<readonly string[]>;
  /** When the next timer is due, epoch ms. */
  nextDue(): Promise<number | undefined>;
};

export function createStore(pool: pg.Pool, schema: string, epoch: number): Store {
  const run = (name: string, sql: string, values: unknown[]) =>
    pool.query({ name: `${schema}_${name}`, text: inSchema(sql, schema), values });
  return {
    async openIntents() {
      const { rows } = await run(
        "open_intents",
        "select id, calls from {schema}.intents where epoch < $1 order by created_at, id",
        [epoch],
      );
      return rows.map((row) => ({
        id: row.id as string,
        calls: JSON.parse(row.calls as string) as IntendedCall[],
      }));
    },
    async takeDue(now, limit) {
      const { rows } = await run(
        "take_due",
        `update {schema}.timers t set epoch = $1
         from (select message_id from {schema}.timers where due_at <= $2 and epoch < $1 order by due_at limit $3 for update skip locked) due
         where t.message_id = due.message_id
         returning t.message_id, t.due_at`,
        [epoch, Math.floor(now), limit],
      );
      return rows
        .toSorted((one, other) => Number(one.due_at) - Number(other.due_at))
        .map((row) => row.message_id as string);
    },
    async nextDue() {
      const { rows } = await run(
        "next_due",
        "select due_at from {schema}.timers where epoch < $1 order by due_at limit 1",
        [epoch],
      );
      return rows[0] === undefined ? undefined : Number(rows[0].due_at);
    },
  };
}
