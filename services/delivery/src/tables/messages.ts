import { streamOf, type Channel, type Environment } from "@heliograph/contracts";
import {
  foldMessage,
  messageView,
  statusRank,
  type FoldableEvent,
  type MessageStatus,
} from "@heliograph/domain";
import type pg from "pg";

/**
 * An index over the messages of each partner, the rows are written in ../store.ts. It holds only what a list filters by; what a list shows is folded
 * from the log. `position` is that of MessageRequested, so the list is in the order of the log whatever the clocks say. `status` is the rank
 * of the status: small, and the join of two is the greater one. No index holds it, so a change of status rewrites no index (HOT update), for which
 * the fillfactor leaves room.
 */
export const messagesDdl = `
create table if not exists {schema}.messages (
  position bigint not null,
  created_at bigint not null,
  status smallint not null,
  reply boolean not null, -- of a conversation: its thread tells of it as well
  partner text not null,
  id text not null,
  channel text not null,
  "to" text not null,
  tags text[],
  client_ref text,
  metadata jsonb,
  primary key (partner, position)
) with (fillfactor = 70);
create index if not exists messages_to on {schema}.messages (partner, "to", position);
-- Messages that came to one of the rare statuses. A message stays here under each that it ever had: what its status is now, its row above says.
create table if not exists {schema}.rare (
  partner text not null,
  status smallint not null,
  position bigint not null,
  primary key (partner, status, position)
);
`;

/**
 * What few messages come to, and what is looked for all the same: a page of them walks `rare` instead of everything that went well. It is a table of its own because even a partial
 * index over `status` would make each change of it, of every message, rewrite all indexes.
 */
export const rareStatuses: ReadonlySet<MessageStatus> = new Set([
  "failed",
  "bounced",
  "expired",
  "rejected",
  "canceled",
]);

export type MessageFilter = {
  readonly status?: readonly MessageStatus[] | undefined;
  readonly channel?: Channel | undefined;
  /** As they stand in the index: one, or one more for each key that messages to the address are sealed under. */
  readonly to?: readonly string[] | undefined;
  readonly tag?: string | undefined;
  readonly clientRef?: string | undefined;
  /** Every key must be there with this value, compared as text. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Epoch milliseconds, inclusive. */
  readonly createdFrom?: number | undefined;
  /** Epoch milliseconds, exclusive. */
  readonly createdBefore?: number | undefined;
};

export type MessageListQuery = {
  readonly partner: string;
  /** At least 1. */
  readonly limit: number;
  /** A cursor of an earlier page: the page it points to. */
  readonly after?: string | undefined;
  /** A cursor whose item the page ends before, on the side of the newer messages. */
  readonly before?: string | undefined;
  readonly filter: MessageFilter;
};

export type MessagePage = {
  readonly data: readonly Record<string, unknown>[];
  readonly next_cursor: string | null;
  readonly prev_cursor: string | null;
};

type Log = {
  readStreams(streams: readonly string[]): Promise<ReadonlyMap<string, readonly FoldableEvent[]>>;
};

/** One page looks at no more rows than this (some 30 ms), so that a filter for something rare cannot scan millions; the cursor goes on from there. */
const scanLimit = 50_000;
/** `created_at` is the clock of an ingress process and follows the positions only as well as clocks agree. */
export const clockSkewMs = 120_000;

const within =
  "from messages.messages t where t.partner = $1 and t.position > $2 and t.position < $3";

/** The limit keeps it a look-up by the primary key for each, where a join might be planned as a scan of all messages. */
const rowOf =
  "cross join lateral (select * from messages.messages m where m.partner = $1 and m.position = r.position limit 1) t";

type Cursor = { readonly direction: "older" | "newer"; readonly position: bigint };

const printCursor = ({ direction, position }: Cursor): string =>
  `${direction === "older" ? "o" : "n"}${position.toString().padStart(16, "0")}`;

/** Reads a cursor; undefined when it is none of ours. */
export function parseMessageCursor(text: string): Cursor | undefined {
  const match = /^([on])(\d{16})$/.exec(text);
  if (!match) return undefined;
  return { direction: match[1] === "o" ? "older" : "newer", position: BigInt(match[2]!) };
}

function start(query: MessageListQuery): Cursor | undefined {
  if (query.after !== undefined) return parseMessageCursor(query.after);
  if (query.before === undefined) return { direction: "older", position: 9_000_000_000_000_000n };
  const cursor = parseMessageCursor(query.before);
  return cursor && { direction: "newer", position: cursor.position };
}

/** Conditions on `m`; the values begin at `$first`. */
function conditions(
  filter: MessageFilter,
  first: number,
): { sql: string; values: unknown[]; mask: number } {
  const sql: string[] = [];
  const values: unknown[] = [];
  let mask = 0;
  const add = (bit: number, value: unknown, condition: (parameter: string) => string): void => {
    if (value === undefined) return;
    mask |= bit;
    sql.push(condition(`$${first + values.length}`));
    values.push(value);
  };
  add(1, filter.status?.map(statusRank), (value) => `m.status = any(${value}::smallint[])`);
  add(2, filter.channel, (value) => `m.channel = ${value}`);
  add(4, filter.tag, (value) => `${value} = any(m.tags)`);
  add(
    8,
    filter.metadata && JSON.stringify(filter.metadata),
    (value) =>
      `not exists (select 1 from jsonb_each_text(${value}::jsonb) f where m.metadata ->> f.key is distinct from f.value)`,
  );
  add(16, filter.createdFrom, (value) => `m.created_at >= ${value}`);
  add(32, filter.createdBefore, (value) => `m.created_at < ${value}`);
  add(64, filter.clientRef, (value) => `m.client_ref = ${value}`);
  return { sql: sql.length === 0 ? "true" : sql.join(" and "), values, mask };
}

/** The rows of a partner between two positions, by what the filter makes shortest to walk. */
const walks: Readonly<Record<"all" | "to" | "keys" | "rare" | "rares", (order: string) => string>> =
  {
    all: () => `${within} and $4::text is null`,
    // With one of them the index gives the rows in their order; of several they are sorted.
    to: () => `${within} and t."to" = $4`,
    keys: () => `${within} and t."to" = any($4::text[])`,
    rare: () =>
      `from messages.rare r ${rowOf}
    where r.partner = $1 and r.status = $4::smallint and r.position > $2 and r.position < $3`,
    // A message stands there once for each status that it had. Of each as many as a page looks at, so that a sort is never of more.
    rares: (order) =>
      `from (select distinct r.position from unnest($4::smallint[]) as s(status) cross join lateral (
      select position from messages.rare where partner = $1 and status = s.status and position > $2 and position < $3
        order by position ${order} limit ${scanLimit}) r) r
    ${rowOf}`,
  };

/** Which of them a filter goes, and its parameter. */
function wayOf({ to, status }: MessageFilter): {
  readonly kind: keyof typeof walks;
  readonly given: unknown;
} {
  if (to !== undefined)
    return to.length === 1 ? { kind: "to", given: to[0] } : { kind: "keys", given: to };
  if (
    status === undefined ||
    status.length === 0 ||
    !status.every((each) => rareStatuses.has(each))
  )
    return { kind: "all", given: null };
  const ranks = [...new Set(status)].map(statusRank);
  return ranks.length === 1 ? { kind: "rare", given: ranks[0] } : { kind: "rares", given: ranks };
}

type Row = { readonly position: bigint; readonly id: string };
type Scan = {
  readonly rows: readonly Row[];
  readonly asOf: bigint;
  readonly stoppedAt: bigint | undefined;
};

/**
 * The rows of one page: the inner query walks an index in the order of the page and stops as soon as the outer one is full or `scanLimit` is
 * reached. `stoppedAt` is the last position looked at when the limit ended the scan.
 */
async function scan(
  pool: pg.Pool,
  query: MessageListQuery,
  cursor: Cursor,
  low: bigint,
  high: bigint,
): Promise<Scan> {
  const { direction } = cursor;
  const order = direction === "older" ? "desc" : "asc";
  const { sql, values, mask } = conditions(query.filter, 6);
  const { kind, given } = wayOf(query.filter);
  const by = kind === "rare" || kind === "rares" ? "r" : "t";
  const walked = `${walks[kind](order)} order by ${by}.position ${order}`;
  const range = [query.partner, low, high, given];
  const { rows } = await pool.query<{ position: string; id: string; as_of: string }>({
    name: `messages_${order}_${mask}_${kind}`,
    text: `select m.position::text, m.id, (select position::text from messages.checkpoint where name = 'messages') as as_of
      from (select t.* ${walked} limit ${scanLimit}) m where ${sql} order by m.position ${order} limit $5`,
    values: [...range, query.limit + 1, ...values],
  });
  const found = rows.map(({ position, id }) => ({ position: BigInt(position), id }));
  const asOf = BigInt(rows[0]?.as_of ?? 0);
  if (found.length > query.limit || mask === 0) return { rows: found, asOf, stoppedAt: undefined };
  const { rows: stops } = await pool.query<{ position: string }>({
    name: `messages_stop_${order}_${kind}`,
    text: `select t.position::text ${walked} offset ${scanLimit - 1} limit 1`,
    values: range,
  });
  return { rows: found, asOf, stoppedAt: stops[0] && BigInt(stops[0].position) };
}

/** The first position of the partner whose message was created at `createdAt` or later, by bisection: some 30 index look-ups, where an index on the time would cost every message. */
export async function positionAt(
  pool: pg.Pool,
  partner: string,
  createdAt: number,
): Promise<bigint> {
  const { rows } = await pool.query<{ low: string | null; high: string | null }>({
    name: "messages_bounds",
    text: "select min(position)::text as low, max(position)::text as high from messages.messages where partner = $1",
    values: [partner],
  });
  let low = BigInt(rows[0]?.low ?? 0);
  let high = BigInt(rows[0]?.high ?? 0) + 1n;
  while (low < high) {
    const middle = (low + high) / 2n;
    const { rows: probes } = await pool.query<{ position: string; created_at: string }>({
      name: "messages_probe",
      text: "select position::text, created_at::text from messages.messages where partner = $1 and position >= $2 order by messages.position limit 1",
      values: [partner, middle],
    });
    const probe = probes[0];
    if (probe === undefined || Number(probe.created_at) >= createdAt) high = middle;
    else low = BigInt(probe.position) + 1n;
  }
  return low;
}

/**
 * One page of a partner's messages, newest first; undefined when a cursor is not one. It costs two queries at most, plus a bisection for a
 * range of time, and ONE read of the log for the bodies. The bodies are folded as of the index's position, so that they agree with the filter. A page
 * may hold fewer items than `limit` and yet have a `next_cursor`: the filter then matched little in what was looked at.
 */
export async function listMessages(
  pool: pg.Pool,
  log: Log,
  environment: Environment,
  query: MessageListQuery,
): Promise<MessagePage | undefined> {
  const cursor = start(query);
  if (cursor === undefined) return undefined;
  const older = cursor.direction === "older";
  const { createdFrom, createdBefore } = query.filter;
  let low = older ? 0n : cursor.position;
  let high = older ? cursor.position : 9_000_000_000_000_000n;
  if (createdFrom !== undefined) {
    const first = await positionAt(pool, query.partner, createdFrom - clockSkewMs);
    if (first - 1n > low) low = first - 1n;
  }
  if (createdBefore !== undefined) {
    const end = await positionAt(pool, query.partner, createdBefore + clockSkewMs);
    if (end < high) high = end;
  }
  const { rows, asOf, stoppedAt } = await scan(pool, query, cursor, low, high);
  const page = rows.slice(0, query.limit);
  const more = rows.length > query.limit ? page.at(-1)!.position : stoppedAt;
  if (!older) page.reverse();
  const edge = (position: bigint | undefined, direction: Cursor["direction"]): string | null =>
    position === undefined ? null : printCursor({ direction, position });
  const first = page[0]?.position;
  const last = page.at(-1)?.position;
  const fromTheTop = query.after === undefined && query.before === undefined;
  return {
    data: await bodies(log, page, asOf, environment),
    next_cursor: older ? edge(more, "older") : edge(last ?? cursor.position + 1n, "older"),
    prev_cursor: older
      ? fromTheTop
        ? null
        : edge(first ?? cursor.position - 1n, "newer")
      : edge(more, "newer"),
  };
}

async function bodies(
  log: Log,
  page: readonly Row[],
  asOf: bigint,
  environment: Environment,
): Promise<Record<string, unknown>[]> {
  if (page.length === 0) return [];
  const streams = await log.readStreams(page.map((row) => streamOf("message", row.id)));
  return page.flatMap((row) => {
    const events = streams.get(streamOf("message", row.id)) ?? [];
    const state = foldMessage(events.filter((event) => event.position <= asOf));
    return state === undefined ? [] : [messageView(state, environment)];
  });
}
