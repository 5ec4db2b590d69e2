import type pg from "pg";

/**
 * Files of people that their provider keeps, and that are to be fetched and kept under these ids: what is named by a row is had with the gateway's credentials, from the record of what was received. Nothing of a
 * person stands here. A row goes once its file is there; one that is lost says why.
 */
export const fetchesDdl = `create table mobile_attachments.fetches (
  id text primary key,
  partner text not null,
  contact_id text not null,
  inbound_id text not null,
  -- Which of its files.
  place int not null,
  status text not null default 'due' check (status in ('due', 'lost')),
  tries int not null default 0,
  due_at timestamptz not null default clock_timestamp(),
  reason text,
  changed_at timestamptz not null default clock_timestamp()
);
create index fetches_due on mobile_attachments.fetches (due_at) where status = 'due';
create index fetches_partner on mobile_attachments.fetches (partner, status);
create index fetches_lost on mobile_attachments.fetches (changed_at) where status = 'lost';`;

export type NewFetch = {
  readonly id: string;
  readonly partner: string;
  readonly contact_id: string;
  readonly inbound_id: string;
  readonly place: number;
};
export type Fetch = NewFetch & {
  readonly status: "due" | "lost";
  readonly tries: number;
  readonly reason: string | null;
};
type Db = Pick<pg.Pool, "query">;

const columns = "id, partner, contact_id, inbound_id, place, status, tries, reason";

/**
 * Once each. Of a partner that has so many waiting already, what comes beyond is lost at once: `mostWaiting` bounds what strangers can have us do. Gives the ids of those, the same when it is
 * done again.
 */
export async function addFetches(
  db: Db,
  fetches: readonly NewFetch[],
  mostWaiting: number,
): Promise<ReadonlySet<string>> {
  const column = (key: keyof NewFetch): unknown[] => fetches.map((each) => each[key]);
  await db.query(
    `insert into mobile_attachments.fetches (id, partner, contact_id, inbound_id, place, status, reason)
      select n.id, n.partner, n.contact_id, n.inbound_id, n.place, case when w.waiting < $6 then 'due' else 'lost' end, case when w.waiting < $6 then null else 'too_many' end
      from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[]) as n(id, partner, contact_id, inbound_id, place),
        lateral (select count(*) as waiting from (select from mobile_attachments.fetches f where f.partner = n.partner and f.status = 'due' limit $6) as s) as w
      on conflict (id) do nothing`,
    [
      column("id"),
      column("partner"),
      column("contact_id"),
      column("inbound_id"),
      column("place"),
      mostWaiting,
    ],
  );
  const { rows } = await db.query<{ id: string }>(
    "select id from mobile_attachments.fetches where id = any($1) and status = 'lost' and reason = 'too_many' and tries = 0",
    [column("id")],
  );
  return new Set(rows.map(({ id }) => id));
}

/**
 * Some that are due, of none of these partners and a few of each other one; they are due again after `leaseMs`, should this process end before it has said what became of them.
 */
export async function takeFetches(
  db: Db,
  {
    limit,
    ofEach,
    busy,
    leaseMs,
  }: {
    readonly limit: number;
    readonly ofEach: number;
    readonly busy: readonly string[];
    readonly leaseMs: number;
  },
): Promise<readonly Fetch[]> {
  const { rows } = await db.query<Fetch>({
    name: "attachments.take_fetches",
    text: `with due as (select id, partner, due_at from mobile_attachments.fetches where status = 'due' and due_at <= clock_timestamp() and partner <> all($3)
        order by due_at limit 1000),
      placed as (select id, row_number() over (partition by partner order by due_at) as turn, due_at from due)
      update mobile_attachments.fetches f set tries = tries + 1, due_at = clock_timestamp() + make_interval(secs => $4)
        where f.id = any (array(select id from placed where turn <= $2 order by due_at limit $1)) and f.status = 'due' and f.due_at <= clock_timestamp()
        returning ${columns}`,
    values: [limit, ofEach, busy, leaseMs / 1_000],
  });
  return rows;
}

/** When the next one is due, epoch ms. */
export async function nextFetchAt(db: Db, busy: readonly string[]): Promise<number | undefined> {
  const { rows } = await db.query<{ at: Date }>(
    "select due_at as at from mobile_attachments.fetches where status = 'due' and partner <> all($1) order by due_at limit 1",
    [busy],
  );
  return rows[0]?.at.getTime();
}

export const endFetch = (db: Db, id: string): Promise<unknown> =>
  db.query("delete from mobile_attachments.fetches where id = $1", [id]);

export const loseFetch = (db: Db, id: string, reason: string): Promise<unknown> =>
  db.query(
    "update mobile_attachments.fetches set status = 'lost', reason = $2, changed_at = clock_timestamp() where id = $1",
    [id, reason],
  );

/** Once more, after a while. */
export const fetchAgain = (db: Db, id: string, delayMs: number, reason: string): Promise<unknown> =>
  db.query(
    "update mobile_attachments.fetches set due_at = clock_timestamp() + make_interval(secs => $2), reason = $3, changed_at = clock_timestamp() where id = $1",
    [id, delayMs / 1_000, reason],
  );

/** Whoever's it is, when no partner is given: a signed link names none. */
export async function findFetch(db: Db, id: string, partner?: string): Promise<Fetch | undefined> {
  const { rows } = await db.query<Fetch>({
    name: "attachments.fetch",
    text: `select ${columns} from mobile_attachments.fetches where id = $1 and ($2::text is null or partner = $2)`,
    values: [id, partner ?? null],
  });
  return rows[0];
}

/** What was lost before a time is said no longer. */
export const forgetLost = (db: Db, before: Date, limit: number): Promise<unknown> =>
  db.query(
    `delete from mobile_attachments.fetches where ctid = any(array(select ctid from mobile_attachments.fetches
      where status = 'lost' and changed_at < $1 order by changed_at limit $2))`,
    [before, limit],
  );
