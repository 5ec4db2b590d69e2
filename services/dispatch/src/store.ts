import type { Append } from "@heliograph/log";
import { inSchema, type WritePart } from "@heliograph/runtime";
import type pg from "pg";
import type { TimerKind } from "./decide.ts";
import { readIntent, type Intent, type IntendedCall, type IntentRow } from "./read-intent.ts";

export type { Intent, IntendedCall };

/**
 * `intents`: one row per group of provider calls, written durably before the first of them, removed when all their outcomes are in the log;
 * a call that was not made is taken out of its row at once. Or, in `decided`, appends for which no announced call stands: written before the first of them is made.
 * `timers`: one row per message that waits. `epoch` is that of the owner who has taken the row into memory; a successor takes it again. Epochs are compared
 * within a `shard` only; rows without one are of the time before the dispatcher was divided.
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
alter table {schema}.intents add column if not exists shard smallint;
alter table {schema}.timers add column if not exists shard smallint;
create index if not exists timers_due_of_shard on {schema}.timers (shard, due_at) where shard is not null;
`;

/** By whose clock a timer is due: rows of the sandbox name the partner. */
export const partnersDdl = `
alter table {schema}.timers add column if not exists partner text;
create index if not exists timers_due_of_partner on {schema}.timers (partner, due_at) where partner is not null;
`;

/** Revision of the message's stream when its wait began. Rows of before do not say: their message waits once more, if the log gives no time. */
export const revisionsDdl = `
alter table {schema}.timers add column if not exists revision int not null default -1;
`;

/** What is announced of appends: rows of before have none. */
export const decidedDdl = `
alter table {schema}.intents add column if not exists decided text;
`;

/** When a row was written, epoch ms by the clock of its writer. Rows of before have none. */
export const setAtDdl = `
alter table {schema}.timers add column if not exists set_at bigint;
`;

/** Calls that nobody could settle, by message; undefined where the row that announces one cannot be read. */
export type Unsettled = Map<string, IntendedCall | undefined>;
/** Due times are epoch ms by the clock of the message's partner; of nobody's by the real one. */
export type Timer = {
  readonly dueAt: number;
  readonly kind: TimerKind;
  readonly partner: string | undefined;
  /** Of the message's stream, when the wait began; -1 where the row is for no wait of the message. */
  readonly revision: number;
};
export type DueTimer = Timer & { readonly messageId: string };
/** A partner whose clock is ahead: its time, by how much it is ahead, and up to where it went over time at once. */
export type MovedClock = {
  readonly partner: string;
  readonly now: number;
  readonly aheadMs: number;
  readonly jumpedTo: number;
};
/** Whose the rows are: the shard's number, null for a dispatcher that is not divided. */
export type Owner = number | null;

export const insertIntent = (
  id: string,
  epoch: number,
  calls: readonly IntendedCall[],
  owner: Owner,
): WritePart => ({
  name: "intent",
  sql: "insert into {schema}.intents (id, epoch, calls, shard) values ($1, $2, $3, $4)",
  values: [id, epoch, JSON.stringify(calls), owner],
});

export const insertDecisions = (
  id: string,
  epoch: number,
  appends: readonly Append[],
  owner: Owner,
): WritePart => ({
  name: "decisions",
  sql: "insert into {schema}.intents (id, epoch, calls, decided, shard) values ($1, $2, '[]', $3, $4)",
  values: [id, epoch, JSON.stringify(appends), owner],
});

export const deleteIntents = (ids: readonly string[]): WritePart => ({
  name: "intents_done",
  sql: "delete from {schema}.intents where id = any($1::text[])",
  values: [ids],
});

/** Leaves in the rows what these intents name. */
export const rewriteIntents = (intents: readonly Pick<Intent, "id" | "calls">[]): WritePart => ({
  name: "intents_rewritten",
  sql: `update {schema}.intents i set calls = given.calls
    from unnest($1::text[], $2::text[]) as given(id, calls) where i.id = given.id`,
  values: [intents.map(({ id }) => id), intents.map(({ calls }) => JSON.stringify(calls))],
});

/** A timer that is set belongs to nobody until it is taken. */
export function upsertTimers(
  timers: ReadonlyMap<string, Timer>,
  ownerOf: (messageId: string) => Owner,
  now: number,
): WritePart {
  const rows = [...timers];
  return {
    name: "timers",
    sql: `insert into {schema}.timers (message_id, due_at, kind, shard, partner, revision, set_at)
      select *, $7::bigint from unnest($1::text[], $2::bigint[], $3::text[], $4::smallint[], $5::text[], $6::int[])
      on conflict (message_id) do update set due_at = excluded.due_at, kind = excluded.kind, shard = excluded.shard, partner = excluded.partner,
        revision = excluded.revision, set_at = excluded.set_at, epoch = 0`,
    values: [
      rows.map(([id]) => id),
      rows.map(([, { dueAt }]) => Math.ceil(dueAt)),
      rows.map(([, { kind }]) => kind),
      rows.map(([id]) => ownerOf(id)),
      rows.map(([, { partner }]) => partner ?? null),
      rows.map(([, { revision }]) => revision),
      Math.floor(now),
    ],
  };
}

export const deleteTimers = (messageIds: readonly string[]): WritePart => ({
  name: "timers_done",
  sql: "delete from {schema}.timers where message_id = any($1::text[])",
  values: [messageIds],
});

export type Store = {
  /** Intents of owners before this one: what became of them may be unknown. */
  openIntents(): Promise<readonly Intent[]>;
  /** Takes up to `limit` timers that are due, the longest due first; each is given once to an owner. Partners of `without` go by a clock of their own. */
  takeDue(now: number, limit: number, without: readonly string[]): Promise<readonly DueTimer[]>;
  /** The same of those partners: in what the clock of one went over at once, only the earliest instant of it. */
  takeMoved(clocks: readonly MovedClock[], limit: number): Promise<readonly DueTimer[]>;
  /** When the next timer is due, epoch ms of the real clock. */
  nextDue(without: readonly string[]): Promise<number | undefined>;
  nextMoved(clocks: readonly MovedClock[]): Promise<number | undefined>;
  /**
   * What waits for so long, and was written by the clock as it was before it was set back, comes no later for that: what was written later than it is now, or before the clock was last looked at. Where nobody
   * knows by how much it was set back, the first of these wait anew. What waits for a time of the day goes by the clock as it is.
   */
  setBack(now: number, back?: { readonly byMs: number; readonly lookedAt: number }): Promise<void>;
  /** What is held becomes due. */
  wakeHeld(now: number): Promise<void>;
  /** Messages whose timers are of the time before the dispatcher was divided. */
  timersWithoutShard(limit: number): Promise<readonly string[]>;
  assignTimers(messageIds: readonly string[], shards: readonly number[]): Promise<void>;
};

type Run = (name: string, sql: string, values: unknown[]) => Promise<pg.QueryResult>;

/** What is due by clocks of their own; `mine` limits it to the rows of a shard. */
function movedTimers(
  run: Run,
  epoch: number,
  mine: string,
): Pick<Store, "takeMoved" | "nextMoved"> {
  return {
    async takeMoved(clocks, limit) {
      const { rows } = await run(
        "take_moved",
        `update {schema}.timers t set epoch = $1
         from (
           select due.message_id from unnest($2::text[], $3::bigint[], $4::bigint[]) as clock(partner, now, jumped_to)
           cross join lateral (
             (select message_id, due_at from {schema}.timers
               where partner = clock.partner and due_at <= clock.jumped_to and epoch < $1${mine} order by due_at fetch first 1 row with ties)
             union all
             (select message_id, due_at from {schema}.timers later
               where partner = clock.partner and due_at > clock.jumped_to and due_at <= clock.now and epoch < $1${mine} and not exists (
                 select 1 from {schema}.timers where partner = clock.partner and due_at <= clock.jumped_to and epoch < $1${mine})
               order by due_at limit $5)
           ) due order by due.due_at limit $5
         ) due
         where t.message_id = due.message_id
         returning t.message_id, t.due_at, t.kind, t.partner, t.revision`,
        [
          epoch,
          clocks.map(({ partner }) => partner),
          clocks.map(({ now }) => Math.floor(now)),
          clocks.map(({ jumpedTo }) => jumpedTo),
          limit,
        ],
      );
      return dueOf(rows);
    },
    async nextMoved(clocks) {
      const { rows } = await run(
        "next_moved",
        `select min(timer.due_at - clock.ahead) as due_at from unnest($2::text[], $3::bigint[]) as clock(partner, ahead)
         cross join lateral (select due_at from {schema}.timers where partner = clock.partner and epoch < $1${mine} order by due_at limit 1) timer`,
        [epoch, clocks.map(({ partner }) => partner), clocks.map(({ aheadMs }) => aheadMs)],
      );
      const next: string | null = rows[0]?.due_at ?? null;
      return next === null ? undefined : Number(next);
    },
  };
}

const [CLOCKS_DIFFER_MS, WRITTEN_BESIDE_MS] = [60_000, 1_000];
/** What becomes due sooner than its row says. */
const earlierTimers = (
  run: Run,
  epoch: number,
  mine: string,
): Pick<Store, "setBack" | "wakeHeld"> => ({
  async setBack(now, back) {
    await run(
      "set_back",
      `update {schema}.timers set due_at = due_at - coalesce($1::bigint, set_at - $2), set_at = set_at - coalesce($1::bigint, set_at - $2)
       where kind in ('retry', 'uncertain', 'waiting', 'held', 'look') and due_at > $2 and (set_at > $2::bigint + $5::bigint or coalesce(set_at, 0) < $4) and epoch < $3${mine}`,
      [
        back && Math.floor(back.byMs),
        Math.floor(now),
        epoch,
        Math.floor(back?.lookedAt ?? 0),
        // What is written beside this statement is set a moment behind `now`, and by another machine as much as clocks differ.
        back === undefined ? CLOCKS_DIFFER_MS : WRITTEN_BESIDE_MS,
      ],
    );
  },
  async wakeHeld(now) {
    await run(
      "wake_held",
      `update {schema}.timers set due_at = $1 where kind = 'held' and due_at > $1${mine}`,
      [Math.floor(now)],
    );
  },
});

/** `owner` limits everything to the rows of a shard; a dispatcher that is not divided has them all. */
export function createStore(pool: pg.Pool, schema: string, epoch: number, owner: Owner): Store {
  const mine = owner === null ? "" : ` and shard = ${owner}`;
  const run = (name: string, sql: string, values: unknown[]) =>
    pool.query({
      name: `${schema}_${name}_${owner ?? ""}`,
      text: inSchema(sql, schema),
      values,
    });
  return {
    async openIntents() {
      const { rows } = await run(
        "open_intents",
        `select id, calls, decided from {schema}.intents where epoch < $1${mine && ` and (shard = ${owner} or shard is null)`} order by created_at, id`,
        [epoch],
      );
      return (rows as IntentRow[]).map(readIntent);
    },
    async takeDue(now, limit, without) {
      const others = without.length === 0 ? "" : " and (partner is null or partner <> all($4))";
      const { rows } = await run(
        `take_due${others && "_of_others"}`,
        `update {schema}.timers t set epoch = $1
         from (select message_id from {schema}.timers where due_at <= $2 and epoch < $1${mine}${others} order by due_at limit $3 for update skip locked) due
         where t.message_id = due.message_id
         returning t.message_id, t.due_at, t.kind, t.partner, t.revision`,
        [epoch, Math.floor(now), limit, ...(others === "" ? [] : [without])],
      );
      return dueOf(rows);
    },
    async nextDue(without) {
      const others = without.length === 0 ? "" : " and (partner is null or partner <> all($2))";
      const { rows } = await run(
        `next_due${others && "_of_others"}`,
        `select due_at from {schema}.timers where epoch < $1${mine}${others} order by due_at limit 1`,
        [epoch, ...(others === "" ? [] : [without])],
      );
      return rows[0] === undefined ? undefined : Number(rows[0].due_at);
    },
    ...movedTimers(run, epoch, mine),
    ...earlierTimers(run, epoch, mine),
    async timersWithoutShard(limit) {
      const { rows } = await run(
        "timers_without_shard",
        "select message_id from {schema}.timers where shard is null limit $1",
        [limit],
      );
      return rows.map((row) => row.message_id as string);
    },
    async assignTimers(messageIds, shards) {
      await run(
        "assign_timers",
        `update {schema}.timers t set shard = given.shard
         from unnest($1::text[], $2::smallint[]) as given(message_id, shard)
         where t.message_id = given.message_id and t.shard is null`,
        [messageIds, shards],
      );
    },
  };
}

/** The longest due first. */
const dueOf = (rows: readonly Record<string, unknown>[]): readonly DueTimer[] =>
  rows
    .map((row) => ({
      messageId: row["message_id"] as string,
      dueAt: Number(row["due_at"]),
      kind: row["kind"] as TimerKind,
      partner: (row["partner"] as string | null) ?? undefined,
      revision: row["revision"] as number,
    }))
    .toSorted((one, other) => one.dueAt - other.dueAt);

/** Messages that should have been taken up before a time (epoch ms, of the real clock), by the kind of their wait. Reads the table of an installation from outside. */
export async function overdueTimers(
  pool: pg.Pool,
  before: number,
): Promise<
  readonly { readonly kind: string; readonly count: number; readonly oldestMs: number }[]
> {
  const { rows } = await pool.query<{ kind: string; count: number; oldestMs: number }>(
    `select kind, count(*)::float8 as count, min(due_at)::float8 as "oldestMs" from dispatch.timers where due_at < $1 group by kind order by kind`,
    [Math.floor(before)],
  );
  return rows;
}
