import type { SpaceTables, WritePart } from "@heliograph/runtime";
import type pg from "pg";
import type { BroadcastStatus, Created, Pause } from "../broadcasts/decide.ts";

export const broadcastsSchema = "broadcasts";

/**
 * Broadcasts as their events tell them, how far each is, and everybody of an audience with what became of them. The id of a person's message is there before the message is: so whatever is
 * heard of a message finds its row, and whoever comes after a crash sends the same one. Nothing here is personal.
 */
export const broadcastsDdl = `
create table broadcasts.broadcasts (
  id text primary key,
  partner text not null,
  position bigint not null, -- of its first event
  created text not null, -- JSON
  status text not null,
  send_at timestamptz,
  pause_code text,
  pause_reason text,
  started_at text,
  started_position bigint, -- the audience are the contacts that were made before
  ended_at text,
  collected_to bigint not null default 0, -- the position of the last contact that is among the recipients
  collected boolean not null default false,
  audience bigint not null default 0,
  accepted bigint not null default 0,
  sent bigint not null default 0,
  failed bigint not null default 0,
  skipped bigint not null default 0
) with (fillfactor = 50);
create index broadcasts_list on broadcasts.broadcasts (partner, position);
create index broadcasts_open on broadcasts.broadcasts (status) where status in ('draft', 'running', 'paused');
create table broadcasts.recipients (
  broadcast_id text not null,
  number bigint not null,
  contact_id text not null,
  message_id text not null,
  attempt int not null default 0,
  state text not null default 'pending', -- accepted, skipped
  outcome text, -- sent, failed
  reason text,
  primary key (broadcast_id, number)
) with (fillfactor = 85);
create unique index recipients_contact on broadcasts.recipients (broadcast_id, contact_id);
create unique index recipients_message on broadcasts.recipients (message_id);
create index recipients_pending on broadcasts.recipients (broadcast_id, number) where state = 'pending';
create index recipients_skipped on broadcasts.recipients (broadcast_id, number) where state = 'skipped';
`;

/** The broadcasts last: what is of them is found by them. */
export const spacesOfBroadcasts: SpaceTables = {
  recipients:
    "(select b.partner from broadcasts.broadcasts b where b.id = recipients.broadcast_id)",
  broadcasts: "partner",
};

export type Counts = {
  readonly audience: number;
  readonly accepted: number;
  readonly sent: number;
  readonly failed: number;
  readonly skipped: number;
};
const counts =
  "audience::float8, accepted::float8, sent::float8, failed::float8, skipped::float8" as const;

/** One of a list. */
export type BroadcastRow = Counts & {
  readonly position: string;
  /** Undefined where the page has no room for it any more. */
  readonly created: Created | undefined;
  readonly status: BroadcastStatus;
  readonly pause: Pause | undefined;
  readonly started_at: string | null;
  readonly ended_at: string | null;
};

type StoredRow = Omit<BroadcastRow, "created" | "pause"> & {
  readonly created: string | null;
  readonly pause_code: string | null;
  readonly pause_reason: string | null;
};

const rowOf = ({ created, pause_code, pause_reason, ...row }: StoredRow): BroadcastRow => ({
  ...row,
  created: created === null ? undefined : (JSON.parse(created) as Created),
  pause: pause_code === null ? undefined : { code: pause_code, reason: pause_reason ?? "" },
});

/** A draft may have half a megabyte: where those of a page are larger together, it has fewer of them. */
const maxPageBytes = 4 * 1024 * 1024;

/** The partner's broadcasts, newest first: those before a position, or those nearest after it. A page begins with one, however large. */
export async function listBroadcasts(
  pool: pg.Pool,
  asked: {
    readonly partner: string;
    readonly limit: number;
    readonly before?: string | undefined;
    readonly after?: string | undefined;
    readonly status?: BroadcastStatus | undefined;
  },
): Promise<readonly BroadcastRow[]> {
  const towards = asked.after === undefined ? "desc" : "asc";
  const { rows } = await pool.query<StoredRow>({
    name: `broadcasts.list ${asked.after === undefined}`,
    text: `select position::text, case when coalesce(bytes, 0) < ${maxPageBytes} then created end as created,
        status, pause_code, pause_reason, started_at, ended_at, ${counts}
      from (select *, sum(octet_length(created)) over (order by position ${towards} rows between unbounded preceding and 1 preceding) as bytes
        from (select * from broadcasts.broadcasts
          where partner = $1 and ($2::bigint is null or position < $2) and ($3::bigint is null or position > $3) and ($4::text is null or status = $4)
          order by position ${towards} limit $5) page) sized
      order by sized.position ${towards}`,
    values: [
      asked.partner,
      asked.before ?? null,
      asked.after ?? null,
      asked.status ?? null,
      asked.limit,
    ],
  });
  const found = rows.map(rowOf);
  return asked.after === undefined ? found : found.toReversed();
}

export async function readCounts(pool: pg.Pool, id: string): Promise<Counts | undefined> {
  const { rows } = await pool.query<Counts>({
    name: "broadcasts.counts",
    text: `select ${counts} from broadcasts.broadcasts where id = $1`,
    values: [id],
  });
  return rows[0];
}

/** How many broadcasts of a partner have not ended. */
export async function countUnfinished(pool: pg.Pool, partner: string): Promise<number> {
  const { rows } = await pool.query<{ open: number }>({
    name: "broadcasts.unfinished",
    text: "select count(*)::int as open from broadcasts.broadcasts where partner = $1 and status in ('draft', 'running', 'paused')",
    values: [partner],
  });
  return rows[0]!.open;
}

export const recipientStates = ["pending", "accepted", "skipped"] as const;
export type RecipientState = (typeof recipientStates)[number];
export type RecipientRow = {
  readonly number: string;
  readonly contact_id: string;
  readonly status: RecipientState;
  readonly message_id: string;
  readonly outcome: "sent" | "failed" | null;
  readonly reason: string | null;
};

/** Whom a broadcast is for, in their order: those behind a number, or those nearest before it. */
export async function listRecipients(
  pool: pg.Pool,
  asked: {
    readonly broadcast: string;
    readonly limit: number;
    readonly after?: string | undefined;
    readonly before?: string | undefined;
    readonly status?: RecipientState | undefined;
  },
): Promise<readonly RecipientRow[]> {
  const values: unknown[] = [asked.broadcast, asked.limit];
  const where = ["broadcast_id = $1"];
  if (asked.after !== undefined) where.push(`number > $${values.push(asked.after)}::bigint`);
  if (asked.before !== undefined) where.push(`number < $${values.push(asked.before)}::bigint`);
  // Written out, so that the planner takes the index of that state.
  if (asked.status !== undefined) where.push(`state = '${asked.status}'`);
  const { rows } = await pool.query<RecipientRow>(
    `select number::text, contact_id, state as status, message_id, outcome, reason from broadcasts.recipients r
      where ${where.join(" and ")} order by r.number ${asked.before === undefined ? "" : "desc"} limit $2`,
    values,
  );
  return asked.before === undefined ? rows : rows.toReversed();
}

/** The parts that an event of a broadcast's life is to the table. */
export const insertBroadcast = (
  created: Created,
  partner: string,
  position: bigint,
): WritePart => ({
  name: "broadcasts_insert",
  sql: `insert into {schema}.broadcasts (id, partner, position, created, status, send_at) values ($1, $2, $3, $4, 'draft', $5::timestamptz)
    on conflict (id) do nothing`,
  values: [
    created.broadcast_id,
    partner,
    String(position),
    JSON.stringify(created),
    created.send_at ?? null,
  ],
});

export const startedPart = (id: string, at: string, position: bigint): WritePart => ({
  name: "broadcasts_started",
  sql: "update {schema}.broadcasts set status = 'running', started_at = $2, started_position = $3 where id = $1",
  values: [id, at, String(position)],
});

export const statusPart = (
  id: string,
  status: BroadcastStatus,
  { pause, endedAt }: { readonly pause?: Pause; readonly endedAt?: string } = {},
): WritePart => ({
  name: "broadcasts_status",
  sql: "update {schema}.broadcasts set status = $2, pause_code = $3, pause_reason = $4, ended_at = $5 where id = $1",
  values: [id, status, pause?.code ?? null, pause?.reason ?? null, endedAt ?? null],
});
