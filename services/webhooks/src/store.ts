import { shardSql, type Shard } from "@heliograph/contracts";
import type { Endpoint } from "@heliograph/domain";
import type { Notice } from "./tables/notices.ts";
import { readsOfSetBacks } from "./tables/set-at.ts";
import type { DeliveryAttempt, DeliveryStatus } from "./tables/webhooks.ts";
import { inSchema, type WritePart } from "@heliograph/runtime";
import type pg from "pg";
import type { Job, Row } from "./job.ts";

/** JSON text never holds this control character: joining with it needs none of the escaping that array parameters cost. */
const separator = "\u001e";
export const numbers = (values: readonly (number | bigint | undefined)[]): string =>
  `{${values.map((value) => value ?? "null").join(",")}}`;

/** Finished and pending deliveries in one statement; one that was spilled before is brought up to date. */
export function writeDeliveries(rows: readonly Row[], now: number = Date.now()): WritePart {
  return {
    name: "deliveries",
    sql: `insert into {schema}.deliveries as d
        (id, endpoint_id, partner, event_id, type, position, sequence, status, attempts, next_attempt_at, body, created_at, tries, replay, subject, batch, traceparent, before, set_at)
      select *, case when u.status = 'pending' then $19::bigint end from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[],
        string_to_array($9::text, E'\\x1e'), $10::bigint[], string_to_array($11::text, E'\\x1e', ''), $12::bigint[],
        $13::int[], string_to_array($14::text, E'\\x1e', ''), string_to_array($15::text, E'\\x1e', ''), string_to_array($16::text, E'\\x1e', ''),
        string_to_array($17::text, E'\\x1e', ''), string_to_array($18::text, E'\\x1e', ''))
        u(id, endpoint_id, partner, event_id, type, position, sequence, status)
      on conflict (id) do update set status = excluded.status, attempts = excluded.attempts,
        next_attempt_at = excluded.next_attempt_at, body = excluded.body, tries = excluded.tries, replay = excluded.replay, batch = excluded.batch,
        before = excluded.before, set_at = excluded.set_at`,
    values: [
      rows.map((row) => row.job.id),
      rows.map((row) => row.job.endpointId),
      rows.map((row) => row.job.partner),
      rows.map((row) => row.job.eventId),
      rows.map((row) => row.job.type),
      numbers(rows.map((row) => row.job.position)),
      numbers(rows.map((row) => row.job.sequence)),
      `{${rows.map((row) => row.status).join(",")}}`,
      rows.map((row) => JSON.stringify(row.attempts)).join(separator),
      numbers(rows.map((row) => row.nextAttemptAt)),
      rows.map((row) => (row.status === "pending" ? row.job.body : "")).join(separator),
      numbers(rows.map((row) => row.job.createdAt)),
      numbers(rows.map((row) => row.job.tries)),
      rows.map((row) => row.job.replay ?? "").join(separator),
      rows.map((row) => row.job.subject ?? "").join(separator),
      rows.map((row) => (row.status === "pending" ? (row.batch?.id ?? "") : "")).join(separator),
      rows.map((row) => row.job.traceparent ?? "").join(separator),
      rows.map((row) => row.job.before ?? "").join(separator),
      Math.floor(now),
    ],
  };
}

export function writeEndpoints(
  changes: readonly { readonly endpoint: Endpoint; readonly position: bigint }[],
): WritePart {
  return {
    name: "endpoints",
    sql: `insert into {schema}.endpoints (id, partner, status, created_position, state)
      select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], string_to_array($5::text, E'\\x1e'))
      on conflict (id) do update set status = excluded.status, state = excluded.state`,
    values: [
      changes.map(({ endpoint }) => endpoint.id),
      changes.map(({ endpoint }) => endpoint.partner),
      changes.map(({ endpoint }) => endpoint.status),
      numbers(changes.map((change) => change.position)),
      changes.map(({ endpoint }) => JSON.stringify(endpoint)).join(separator),
    ],
  };
}

export function writeCounters(counters: ReadonlyMap<string, number>): WritePart {
  return {
    name: "sequences",
    sql: `insert into {schema}.sequences (partner, sequence) select * from unnest($1::text[], $2::bigint[])
      on conflict (partner) do update set sequence = excluded.sequence`,
    values: [[...counters.keys()], numbers([...counters.values()])],
  };
}

/** What waits for endpoints that closed at a position: deliveries of earlier events, but for the rows that the same statement writes anyway. */
export function discardPending(
  closed: ReadonlyMap<string, bigint>,
  except: readonly string[],
): WritePart {
  return {
    name: "discard",
    sql: `update {schema}.deliveries d set status = 'discarded', next_attempt_at = null, body = null
      from unnest($1::text[], $2::bigint[]) as c(endpoint_id, position)
      where d.endpoint_id = c.endpoint_id and d.position <= c.position and d.status = 'pending' and d.id <> all($3::text[])`,
    values: [[...closed.keys()], numbers([...closed.values()]), except],
  };
}

/** What waits for replays that were canceled is over, as `statusWithout` says, but for rows written anyway. */
export const cancelReplays = (
  replays: readonly string[],
  except: readonly string[],
): WritePart => ({
  name: "cancel_replays",
  sql: `update {schema}.deliveries d set next_attempt_at = null, body = null, status = coalesce(d.before, 'failed')
    where d.replay = any($1::text[]) and d.replay is not null and d.status = 'pending' and d.id <> all($2::text[])`,
  values: [replays, except],
});

/** What waits for endpoints that got another URL is due at once: the wait was of the receiver before. As `discardPending`, but for rows written anyway. */
export function duePending(
  moved: ReadonlyMap<string, bigint>,
  except: readonly string[],
  now: number,
): WritePart {
  return {
    name: "due",
    sql: `update {schema}.deliveries d set next_attempt_at = least(next_attempt_at, $4::bigint), set_at = $4::bigint
      from unnest($1::text[], $2::bigint[]) as m(endpoint_id, position)
      where d.endpoint_id = m.endpoint_id and d.position <= m.position and d.status = 'pending' and d.next_attempt_at is not null and d.id <> all($3::text[])`,
    values: [[...moved.keys()], numbers([...moved.values()]), except, now],
  };
}

/** An endpoint of which nothing but failures came since its first one. Times in epoch ms. */
export type Failing = {
  readonly endpointId: string;
  readonly since: number;
  /** The last failure that counted. */
  readonly failedAt: number;
  /** For how long it is known to have failed: what lies between failures, where that counts. */
  readonly failedForMs: number;
  /** Its owner was told, and is told when it answers again. */
  readonly told: boolean;
};

export function writeFailing(failing: readonly Failing[]): WritePart {
  return {
    name: "failing",
    sql: `insert into {schema}.failing (endpoint_id, since, failed_at, failed_for_ms, told)
      select * from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[])
      on conflict (endpoint_id) do update set since = excluded.since, failed_at = excluded.failed_at,
        failed_for_ms = excluded.failed_for_ms, told = excluded.told`,
    values: [
      failing.map((each) => each.endpointId),
      numbers(failing.map((each) => each.since)),
      numbers(failing.map((each) => each.failedAt)),
      numbers(failing.map((each) => Math.round(each.failedForMs))),
      failing.map((each) => each.told),
    ],
  };
}

export const forgetFailing = (endpointIds: readonly string[]): WritePart => ({
  name: "forget_failing",
  sql: "delete from {schema}.failing where endpoint_id = any($1::text[])",
  values: [endpointIds],
});

/** What owners are told by mail; an event that is handled again brings no second row. */
export const writeNotices = (notices: readonly Notice[]): WritePart => ({
  name: "notices",
  sql: `insert into {schema}.notices (event_id, partner, event)
    select * from unnest($1::text[], $2::text[], string_to_array($3::text, E'\\x1e')) on conflict do nothing`,
  values: [
    notices.map((notice) => notice.eventId),
    notices.map((notice) => notice.partner),
    notices.map((notice) => JSON.stringify(notice.event)).join(separator),
  ],
});

/** What is held for endpoints that keep no order any more is due. */
export function dueHeld(
  loosened: ReadonlyMap<string, bigint>,
  except: readonly string[],
  now: number,
): WritePart {
  return {
    name: "due_held",
    sql: `update {schema}.deliveries d set next_attempt_at = $4::bigint, set_at = $4::bigint
      from unnest($1::text[], $2::bigint[]) as m(endpoint_id, position)
      where d.endpoint_id = m.endpoint_id and d.position <= m.position and d.status = 'pending' and d.next_attempt_at is null and d.id <> all($3::text[])`,
    values: [[...loosened.keys()], numbers([...loosened.values()]), except, now],
  };
}

const firstOf = (
  subjects: string,
): string => `update {schema}.deliveries d set next_attempt_at = $1::bigint, set_at = $1::bigint
  from ${subjects} s cross join lateral (select p.id from {schema}.deliveries p
    where p.endpoint_id = s.endpoint_id and p.subject = s.subject and p.status = 'pending' and p.position <= $2::bigint order by p.position limit 1) f
  where d.id = f.id and d.next_attempt_at is null`;

export type SubjectOfEndpoint = { readonly endpointId: string; readonly subject: string };

/** The first that waits of each subject is due, where it was held: of what lies above the position the log is not read yet, and something may come before it. */
export const releaseNext = (
  subjects: readonly SubjectOfEndpoint[],
  upTo: bigint,
  now: number,
): WritePart => ({
  name: "release_next",
  sql: firstOf("(select * from unnest($3::text[], $4::text[]) as u(endpoint_id, subject))"),
  values: [
    now,
    String(upTo),
    subjects.map(({ endpointId }) => endpointId),
    subjects.map(({ subject }) => subject),
  ],
});

/** The same for all subjects of endpoints: a predecessor may have been killed before it could do so. */
export const releaseAll = (
  endpointIds: readonly string[],
  upTo: bigint,
  now: number,
): WritePart => ({
  name: "release_all",
  sql: firstOf(`(select distinct endpoint_id, subject from {schema}.deliveries
    where endpoint_id = any($3::text[]) and status = 'pending' and subject is not null)`),
  values: [now, String(upTo), endpointIds],
});

/** Each endpoint's oldest deliveries are looked at; so many of all go in one statement, which others wait for. */
const prunedOfEach = 200;
const prunedAtOnce = 2_000;

export type Store = ReturnType<typeof openStore>;

/** What an owner goes on with. `own` is the condition of its shard. */
const readsAtStart = (pool: pg.Pool, sql: (text: string) => string, own: string) => ({
  async endpoints(): Promise<Endpoint[]> {
    const { rows } = await pool.query<{ state: string }>(
      sql(`select state from {schema}.endpoints where status <> 'deleted' and ${own}`),
    );
    return rows.map((row) => JSON.parse(row.state) as Endpoint);
  },
  async counters(): Promise<[string, number][]> {
    const { rows } = await pool.query<{ partner: string; sequence: number }>(
      sql(`select partner, sequence::float8 as sequence from {schema}.sequences where ${own}`),
    );
    return rows.map((row) => [row.partner, row.sequence]);
  },
  async failing(): Promise<Failing[]> {
    const { rows } = await pool.query<Failing>(
      sql(`select f.endpoint_id as "endpointId", since::float8, failed_at::float8 as "failedAt", failed_for_ms::float8 as "failedForMs", told
        from {schema}.failing f join {schema}.endpoints e on e.id = f.endpoint_id where e.status = 'enabled' and ${own}`),
    );
    return rows;
  },
});

const columns = `d.id, d.endpoint_id, d.partner, d.event_id, d.type, d.position::text, d.sequence::float8, d.status, d.attempts,
    d.next_attempt_at::float8, d.body, d.created_at::float8, d.tries, d.replay, d.subject, d.batch, d.traceparent, d.before, d.set_at::float8`;

/** Deliveries as they are to be sent. */
const readsOfDeliveries = (pool: pg.Pool, sql: (text: string) => string, schema: string) => ({
  /** Each endpoint's pending deliveries, the first due first, `room` of them at most; also ones that are not due yet. One index look-up per endpoint. */
  async pending(
    endpoints: readonly { readonly id: string; readonly room: number }[],
  ): Promise<LoadedRow[]> {
    const { rows } = await pool.query<StoredRow>({
      name: `webhooks_pending_${schema}`,
      text: sql(`select ${columns} from unnest($1::text[], $2::int[]) as l(endpoint_id, room)
          cross join lateral (select * from {schema}.deliveries p where p.endpoint_id = l.endpoint_id and p.status = 'pending' and p.next_attempt_at is not null
            order by p.next_attempt_at limit l.room) d`),
      values: [
        endpoints.map((endpoint) => endpoint.id),
        endpoints.map((endpoint) => endpoint.room),
      ],
    });
    return rows.map(loaded);
  },
  /** All that is pending of these batches, oldest event first. */
  async batches(ids: readonly string[]): Promise<LoadedRow[]> {
    const { rows } = await pool.query<StoredRow>({
      name: `webhooks_batches_${schema}`,
      text: sql(`select ${columns} from {schema}.deliveries d
          where d.batch = any($1) and d.batch is not null and d.status = 'pending' order by d.position, d.id`),
      values: [ids],
    });
    return rows.map(loaded);
  },
  async load(ids: readonly string[]): Promise<LoadedRow[]> {
    const { rows } = await pool.query<StoredRow>(
      sql(`select ${columns} from {schema}.deliveries d where d.id = any($1)`),
      [ids],
    );
    return rows.map(loaded);
  },
});

/** The reads of the service. With a shard, everything is of its partners alone. */
export function openStore(pool: pg.Pool, schema: string, shard?: Shard) {
  const own = shard === undefined ? "true" : `${shardSql("partner", shard.count)} = ${shard.index}`;
  const sql = (text: string): string => inSchema(text, schema);
  return {
    ...readsAtStart(pool, sql, own),
    ...readsOfDeliveries(pool, sql, schema),
    ...readsOfSetBacks(pool, sql),
    /** The endpoints that have anything pending. */
    async waited(): Promise<string[]> {
      const { rows } = await pool.query<{ endpoint_id: string }>(
        sql(
          `select distinct endpoint_id from {schema}.deliveries where status = 'pending' and ${own}`,
        ),
      );
      return rows.map((row) => row.endpoint_id);
    },
    /** Which of these endpoints have anything pending, held ones too. */
    async withPending(ids: readonly string[]): Promise<ReadonlySet<string>> {
      const { rows } = await pool.query<{ id: string }>(
        sql(`select id from unnest($1::text[]) as e(id)
          where exists (select from {schema}.deliveries d where d.endpoint_id = e.id and d.status = 'pending')`),
        [ids],
      );
      return new Set(rows.map((row) => row.id));
    },
    /** Subjects of which a delivery waits for one of these replays, or endpoints. */
    async subjectsOf(
      ids: readonly string[],
      of: "replay" | "endpoint_id",
    ): Promise<SubjectOfEndpoint[]> {
      const { rows } = await pool.query<SubjectOfEndpoint>(
        sql(`select distinct endpoint_id as "endpointId", subject from {schema}.deliveries
          where ${of} = any($1) and ${of} is not null and status = 'pending' and subject is not null`),
        [ids],
      );
      return rows;
    },
    /** How many deliveries wait for an attempt. Read from the partial index alone. */
    async countPending(): Promise<number> {
      const { rows } = await pool.query<{ pending: number }>(
        sql(
          `select count(*)::float8 as pending from {schema}.deliveries where status = 'pending' and ${own}`,
        ),
      );
      return rows[0]!.pending;
    },
    /** Which of these deliveries are on record. */
    async known(ids: readonly string[]): Promise<Set<string>> {
      const { rows } = await pool.query<{ id: string }>(
        sql("select id from {schema}.deliveries where id = any($1)"),
        [ids],
      );
      return new Set(rows.map((row) => row.id));
    },
    /** Deletes some of the deliveries that are over and older than a time (epoch ms), and gives how many. Those above the position may be handled again, and are known by their rows. */
    async prune(before: number, upTo: bigint): Promise<number> {
      const { rowCount } = await pool.query(
        sql(`delete from {schema}.deliveries d using (select old.id from {schema}.endpoints e
            cross join lateral (select id, created_at, status from {schema}.deliveries p
              where p.endpoint_id = e.id and p.position <= $2 order by p.position limit ${prunedOfEach}) old
            where old.created_at < $1 and old.status <> 'pending' and ${own} limit ${prunedAtOnce}) gone
          where d.id = gone.id and d.status <> 'pending'`),
        [before, String(upTo)],
      );
      return rowCount ?? 0;
    },
  };
}

export type StoredRow = {
  id: string;
  endpoint_id: string;
  partner: string;
  event_id: string;
  type: string;
  position: string;
  sequence: number;
  status: DeliveryStatus;
  attempts: string;
  next_attempt_at: number | null;
  body: string | null;
  created_at: number;
  tries: number;
  replay: string | null;
  before: DeliveryStatus | null;
  subject: string | null;
  batch: string | null;
  traceparent: string | null;
  set_at: number | null;
};

/** A delivery read back; the body is only there while it is pending. */
export type LoadedRow = {
  readonly job: Omit<Job, "body">;
  readonly body: string | undefined;
  readonly status: DeliveryStatus;
  readonly nextAttemptAt: number;
  /** When it was written; undefined of rows of before. */
  readonly setAt: number | undefined;
  /** Of a pending one: what it goes with. */
  readonly batch: string | undefined;
};

export function loaded(row: StoredRow): LoadedRow {
  return {
    job: {
      id: row.id,
      endpointId: row.endpoint_id,
      partner: row.partner,
      eventId: row.event_id,
      type: row.type,
      position: BigInt(row.position),
      sequence: row.sequence,
      createdAt: row.created_at,
      attempts: JSON.parse(row.attempts) as DeliveryAttempt[],
      slot: undefined,
      stored: true,
      tries: row.tries,
      urgent: false,
      replay: row.replay ?? undefined,
      before: row.before ?? undefined,
      canceled: false,
      subject: row.subject ?? undefined,
      held: false,
      batch: undefined,
      traceparent: row.traceparent ?? undefined,
    },
    body: row.body ?? undefined,
    status: row.status,
    nextAttemptAt: row.next_attempt_at ?? 0,
    setAt: row.set_at ?? undefined,
    batch: row.batch ?? undefined,
  };
}
