import { inTransaction, type OwnTables } from "@heliograph/runtime";
import type pg from "pg";
import { type DayHead, linkOf, type StoredRow } from "../audit/chain.ts";
import type { Settled } from "../audit/changes.ts";
import type { CountedEntry } from "../audit/refusals.ts";

/** A year, and the time to look into it. */
const keptDays = 400;

/** Who did what through the API, in each environment's database. Release 0.1 kept it in another schema. */
export const auditTables: OwnTables = {
  schema: "control",
  migrations: [
    `do $$ begin
  if to_regclass('ingress.audit') is not null then alter table ingress.audit set schema control; end if;
end $$;
create table if not exists control.audit (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  partner text not null,
  actor text not null,
  action text not null,
  target text not null,
  request_id text not null,
  ip text not null,
  outcome int not null
);
create index if not exists audit_at on control.audit (at);
create index if not exists audit_actor on control.audit (actor, id);`,
    // What stood here before has no hash. Nothing is changed or taken away any more but days that are over 400 days old.
    `alter table control.audit add column key_prefix text, add column subject text, add column code text, add column count int not null default 1,
  add column changes text, add column day date, add column number int, add column hash text;
create unique index audit_day on control.audit (day, number);
create index audit_partner on control.audit (partner, id);
create index audit_action on control.audit (action, id);
create index audit_target on control.audit using gin ((string_to_array(target, '/') || subject));
create table control.audit_days (day date primary key, previous text not null, rows int not null, hash text not null);
create function control.audit_is_kept() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and old.at < now() - interval '${keptDays} days' then return old; end if;
  raise exception 'the audit is only added to';
end $$;
create trigger audit_is_kept before update or delete on control.audit for each row execute function control.audit_is_kept();
create trigger audit_is_whole before truncate on control.audit for each statement execute function control.audit_is_kept();`,
    // By which an entry is known that is written again because the answer of the commit was lost. It is in no hash: the values are.
    `alter table control.audit add column entry uuid;
create unique index audit_entry on control.audit (entry);`,
  ],
};

/** `entry` is the same whenever the entry is written again; a UUID. */
export type NewRow = CountedEntry & Partial<Settled> & { readonly entry: string };

/** Drops whole days, so that the chain begins with one. What a day came to stays. */
export async function purgeAudit(pool: pg.Pool): Promise<void> {
  await pool.query(
    `delete from control.audit where at < now() - interval '${keptDays} days'
       and (day is null or day < (now() at time zone 'utc')::date - ${keptDays})`,
  );
}

/** Adds rows behind the chain's end, in one transaction, but for those that are there already, and gives what the day came to. One writer at a time, whatever process it is in. */
export const writeAudit = (pool: pg.Pool, entries: readonly NewRow[]): Promise<DayHead> =>
  inTransaction(pool, async (client) => {
    await client.query("select pg_advisory_xact_lock(7041776, 11)");
    const before = await headOf(client);
    const head = { ...before };
    const known = await entriesAmong(client, entries);
    const fresh = entries.filter(({ entry }) => !known.has(entry));
    if (fresh.length === 0) return head;
    const rows = fresh.map((entry): Inserted => {
      const row = storedRow(entry, head.day, ++head.rows);
      head.hash = linkOf(head.hash, row);
      return { ...row, hash: head.hash, entry: entry.entry };
    });
    await insert(client, rows);
    await client.query(
      `insert into control.audit_days (day, previous, rows, hash) values ($1, $2, $3, $4)
         on conflict (day) do update set rows = excluded.rows, hash = excluded.hash`,
      [head.day, head.previous, head.rows, head.hash],
    );
    return head;
  });

async function entriesAmong(
  client: pg.PoolClient,
  entries: readonly NewRow[],
): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ entry: string }>({
    name: "control.audit_known",
    text: "select entry::text from control.audit where entry = any($1::uuid[])",
    values: [entries.map(({ entry }) => entry)],
  });
  return new Set(rows.map(({ entry }) => entry));
}

/** Today's head, by the database's clock, which never goes back to a day that is over. */
async function headOf(client: pg.PoolClient): Promise<DayHead & { rows: number; hash: string }> {
  const { rows } = await client.query<{
    today: string;
    day: string | null;
    previous: string;
    rows: number;
    hash: string;
  }>(`select to_char(now() at time zone 'utc', 'YYYY-MM-DD') as today, d.day::text, d.previous, d.rows, d.hash
        from (select 1) one left join lateral (select * from control.audit_days order by day desc limit 1) d on true`);
  const { today, day, previous, rows: count, hash } = rows[0]!;
  if (day === null) return { day: today, previous: "", rows: 0, hash: "" };
  if (day >= today) return { day, previous, rows: count, hash };
  return { day: today, previous: hash, rows: 0, hash };
}

/** The row as the database will give it back: no halves of characters, and no NUL. */
function storedRow(entry: NewRow, day: string, number: number): StoredRow {
  const text = (value: string): string => value.toWellFormed().replaceAll("\0", "");
  return {
    day,
    number,
    at: Math.round(entry.at),
    partner: entry.partner,
    actor: text(entry.actor),
    key_prefix: entry.keyPrefix === undefined ? null : text(entry.keyPrefix),
    action: text(entry.action),
    target: text(entry.target),
    subject: entry.subject ?? null,
    request_id: text(entry.requestId),
    ip: text(entry.ip),
    outcome: entry.outcome,
    code: entry.code ?? null,
    count: entry.count,
    changes: entry.changes === undefined ? null : text(JSON.stringify(entry.changes)),
  };
}

const types = {
  day: "date",
  number: "int",
  at: "float8",
  partner: "text",
  actor: "text",
  key_prefix: "text",
  action: "text",
  target: "text",
  subject: "text",
  request_id: "text",
  ip: "text",
  outcome: "int",
  code: "text",
  count: "int",
  changes: "text",
  hash: "text",
} as const satisfies Record<keyof StoredRow | "hash", string>;
const names = Object.keys(types) as (keyof typeof types)[];
type Inserted = StoredRow & { readonly hash: string; readonly entry: string };
const insertText = `insert into control.audit (${names.join(", ")}, entry)
  select ${names.map((name) => (name === "at" ? "to_timestamp(at / 1000.0)" : name)).join(", ")}, entry
    from unnest(${names.map((name, index) => `$${index + 1}::${types[name]}[]`).join(", ")}, $${names.length + 1}::uuid[]) as t(${names.join(", ")}, entry)`;

async function insert(client: pg.PoolClient, rows: readonly Inserted[]): Promise<void> {
  await client.query({
    name: "control.audit",
    text: insertText,
    values: [...names.map((name) => rows.map((row) => row[name])), rows.map(({ entry }) => entry)],
  });
}

export type AuditRow = Omit<StoredRow, "at" | "number" | "day"> & {
  readonly id: string;
  /** RFC 3339, UTC. */
  readonly time: string;
};

export type AuditFilter = {
  readonly partner?: string;
  readonly actor?: string;
  readonly action?: string;
  /** A path, or an id that stands in it or is what was changed. */
  readonly target?: string;
  /** Epoch milliseconds, inclusive. */
  readonly from?: number;
  /** Exclusive. */
  readonly to?: number;
};

const read = (order: "asc" | "desc"): string =>
  `select id::text, to_char(at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as time, partner, actor, key_prefix, action, target, subject, request_id, ip, outcome, code,
      count, changes
    from control.audit a
    where ($1::bigint is null or a.id ${order === "asc" ? ">" : "<"} $1) and ($2::text is null or partner = $2) and ($3::text is null or actor = $3)
      and ($4::text is null or action = $4) and ($5::text is null or (string_to_array(target, '/') || subject) @> array[$5] or target = $5)
      and ($6::float8 is null or at >= to_timestamp($6 / 1000.0)) and ($7::float8 is null or at < to_timestamp($7 / 1000.0))
    order by a.id ${order} limit $8`;

/** Rows in the order in which they were written, from one id on: backwards the newest first. */
export async function readAudit(
  pool: pg.Pool,
  filter: AuditFilter,
  {
    limit,
    beyond,
    newer,
  }: { readonly limit: number; readonly beyond?: string; readonly newer: boolean },
): Promise<readonly AuditRow[]> {
  const { rows } = await pool.query<AuditRow>({
    text: read(newer ? "asc" : "desc"),
    values: [
      beyond ?? null,
      filter.partner ?? null,
      filter.actor ?? null,
      filter.action ?? null,
      filter.target ?? null,
      filter.from ?? null,
      filter.to ?? null,
      limit,
    ],
  });
  return rows;
}

/** What is read through it is of one moment, however much is written meanwhile. */
export type AuditSnapshot = Pick<pg.PoolClient, "query">;

export async function inAuditSnapshot<Result>(
  pool: pg.Pool,
  work: (snapshot: AuditSnapshot) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  let broken = true;
  try {
    await client.query("begin isolation level repeatable read read only");
    const result = await work(client);
    await client.query("commit");
    broken = false;
    return result;
  } finally {
    client.release(broken);
  }
}

/** What each day came to, oldest first. */
export async function auditDays(snapshot: AuditSnapshot): Promise<readonly DayHead[]> {
  const { rows } = await snapshot.query<DayHead>(
    "select day::text, previous, rows, hash from control.audit_days order by day",
  );
  return rows;
}

/** Rows of a day behind a number, as they are stored; whoever checks them asks until there are none. */
export async function auditRowsOf(
  snapshot: AuditSnapshot,
  day: string,
  after: number,
): Promise<readonly (StoredRow & { readonly hash: string })[]> {
  const { rows } = await snapshot.query<StoredRow & { at: string; hash: string }>(
    `select ${names.map((name) => (name === "at" ? "round(extract(epoch from at) * 1000)::text as at" : name === "day" ? "day::text" : name)).join(", ")}
       from control.audit where day = $1 and number > $2 order by number limit 5000`,
    [day, after],
  );
  return rows.map((row) => ({ ...row, at: Number(row.at) }));
}

/** Rows that are not in the chain although one before them is: nobody who writes as we do has made them. */
export async function auditStrangers(
  snapshot: AuditSnapshot,
): Promise<readonly { readonly id: string; readonly day: string | null }[]> {
  const { rows } = await snapshot.query<{ id: string; day: string | null }>(
    `select id::text, day::text from control.audit a where (day is null and id > (select min(id) from control.audit where day is not null))
        or (day is not null and not exists (select 1 from control.audit_days d where d.day = a.day)) order by a.id limit 1`,
  );
  return rows;
}
