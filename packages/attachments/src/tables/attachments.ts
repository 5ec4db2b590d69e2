import type { OwnTables } from "@heliograph/runtime";
import type pg from "pg";
import { fetchesDdl } from "./fetches.ts";

/**
 * What of a quota came from outside. The table keeps count of it by itself, so that whatever process of whichever release writes a row, also while an upgrade is under way, the sum stays the one of the rows.
 */
const receivedDdl = `alter table mobile_attachments.usage add column received bigint not null default 0;
create function mobile_attachments.count_received() returns trigger language plpgsql as $$
begin
  if tg_op <> 'INSERT' and old.received_at is not null and not old.fetched then
    update mobile_attachments.usage set received = received - old.charged where partner = coalesce(old.account, old.partner);
  end if;
  if tg_op <> 'DELETE' and new.received_at is not null and not new.fetched then
    insert into mobile_attachments.usage as u (partner, bytes, received) values (coalesce(new.account, new.partner), 0, new.charged)
      on conflict (partner) do update set received = u.received + excluded.received;
  end if;
  return null;
end $$;
create trigger received after insert or delete or update of charged, partner, account on mobile_attachments.attachments
  for each row execute function mobile_attachments.count_received();
insert into mobile_attachments.usage as u (partner, bytes, received)
  select coalesce(account, partner), 0, sum(charged) from mobile_attachments.attachments where received_at is not null and not fetched group by 1
  on conflict (partner) do update set received = excluded.received;`;

/**
 * Files of attachments, in each environment's database; their bytes are in the store. A row is there before its bytes and goes after them, so that whatever the store holds has a row,
 * and a crash leaves nothing that nobody knows of. `charged` is what it takes of the partner's quota. `key` and `name` are sealed.
 */
export const attachmentTables: OwnTables = {
  schema: "mobile_attachments",
  migrations: [
    `create table if not exists mobile_attachments.attachments (
  id text primary key,
  partner text not null,
  status text not null check (status in ('pending', 'ready', 'removed')),
  -- The name of its bytes in the store; another for each upload.
  object text not null,
  key text not null,
  name text,
  type text,
  bytes bigint,
  -- A name of the content, which tells nothing of it: whether a repeated request brings the same.
  content text,
  contact_id text,
  charged bigint not null,
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now()
);
create index if not exists attachments_unfinished on mobile_attachments.attachments (changed_at) where status <> 'ready';
create index if not exists attachments_contact on mobile_attachments.attachments (partner, contact_id) where contact_id is not null;
create table if not exists mobile_attachments.usage (
  partner text primary key,
  bytes bigint not null
) with (fillfactor = 50);`,
    // When a message first named it: whoever sends marks it, and a deletion looks.
    `alter table mobile_attachments.attachments add column sent_at timestamptz;`,
    "create index attachments_partner on mobile_attachments.attachments (partner);",
    // What other services may ask of a partner's complete attachments, so that the table stays ours to change. The second marks them as sent, in the order of ids, so that two sends of the same
    // files never wait for each other; it leaves out what somebody else marks at this moment.
    `create function mobile_attachments.ready_of(wanted text[], owner text)
  returns table (id text, key text, name text, type text, bytes bigint) language sql stable as
$$ select a.id, a.key, a.name, a.type, a.bytes from mobile_attachments.attachments a
  where a.id = any(wanted) and a.partner = owner and a.status = 'ready' $$;
create function mobile_attachments.mark_sent(wanted text[], owner text)
  returns table (id text, owned boolean) language sql volatile as
$$ with own as (select a.id, a.contact_id is not null as owned, a.sent_at from mobile_attachments.attachments a
    where a.id = any(wanted) and a.partner = owner and a.status = 'ready'),
  locked as (select a.id from mobile_attachments.attachments a
    where a.id = any(wanted) and a.partner = owner and a.status = 'ready' and a.sent_at is null order by a.id for update),
  marked as (update mobile_attachments.attachments a set sent_at = clock_timestamp() from locked where a.id = locked.id returning a.id)
  select own.id, own.owned from own where own.sent_at is not null or own.id in (select marked.id from marked) $$;`,
    // Of what came from outside, when it came: it has no contact before its message is matched, and goes once it is old.
    `alter table mobile_attachments.attachments add column received_at timestamptz;
create index attachments_received on mobile_attachments.attachments (received_at) where received_at is not null and status = 'ready';`,
    // How long messages that name it may still be sent: so long it stays, however old it is. A process of before marks no time; 240 days are more than any message waits, with all of its steps.
    // Each of the two indexes is of one reason to remove it, so that a sweep reads what it takes and little more.
    `alter table mobile_attachments.attachments add column needed_until timestamptz;
update mobile_attachments.attachments set needed_until = sent_at + interval '240 days' where received_at is not null and sent_at is not null;
create function mobile_attachments.mark_sent(wanted text[], owner text, until timestamptz)
  returns table (id text, owned boolean) language sql volatile as
$$ with own as (select a.id, a.contact_id is not null as owned, a.needed_until from mobile_attachments.attachments a
    where a.id = any(wanted) and a.partner = owner and a.status = 'ready'),
  locked as (select a.id from mobile_attachments.attachments a
    where a.id = any(wanted) and a.partner = owner and a.status = 'ready' and (a.needed_until is null or a.needed_until < until) order by a.id for update),
  marked as (update mobile_attachments.attachments a set sent_at = coalesce(a.sent_at, clock_timestamp()), needed_until = until from locked where a.id = locked.id returning a.id)
  select own.id, own.owned from own where own.needed_until >= until or own.id in (select marked.id from marked) $$;
create or replace function mobile_attachments.mark_sent(wanted text[], owner text)
  returns table (id text, owned boolean) language sql volatile as
$$ select * from mobile_attachments.mark_sent(wanted, owner, date_trunc('day', now()) + interval '240 days') $$;
drop index mobile_attachments.attachments_received;
create index attachments_received on mobile_attachments.attachments (received_at, needed_until) where received_at is not null and status = 'ready';
create index attachments_unowned on mobile_attachments.attachments (received_at) where received_at is not null and status = 'ready' and contact_id is null and sent_at is null;`,
    // Whose quota a file takes that is nobody's yet, so that one gateway's strangers leave room for another's; null: its partner's.
    "alter table mobile_attachments.attachments add column account text;",
    fetchesDdl,
    // What was fetched for a send is needed as long as messages wait that name it, and a little longer: not as long as what people sent.
    `alter table mobile_attachments.attachments add column fetched boolean not null default false;
create index attachments_fetched on mobile_attachments.attachments (received_at, needed_until) where fetched and status = 'ready';`,
    receivedDdl,
  ],
};

export type AttachmentRow = {
  readonly id: string;
  readonly partner: string;
  readonly status: "pending" | "ready" | "removed";
  readonly object: string;
  readonly key: string;
  readonly name: string | null;
  readonly type: string | null;
  readonly bytes: number | null;
  readonly content: string | null;
  readonly created_at: Date;
  readonly changed_at: Date;
};
/**
 * Where it came from. `received`: from outside, so that all of these take half of the quota at most and strangers leave room for what the partner stores itself. `fetched`: the partner named its address in a send; it lives a
 * few days longer than messages wait that name it.
 */
export type FileOrigin = "uploaded" | "received" | "fetched";

/** How much all of a partner's may take, and what of it those that came from outside. */
export type Quota = { readonly bytes: number; readonly received: number };

export type NewAttachment = Pick<AttachmentRow, "id" | "partner" | "object" | "key" | "name"> & {
  readonly contactId: string | null;
  readonly charged: number;
  readonly origin: FileOrigin;
  /** Whose quota it takes where that is not the partner's. */
  readonly account: string | null;
};

const columns =
  "id, partner, status, object, key, name, type, bytes::float8 as bytes, content, created_at, changed_at";

/** Whoever's it is, when no partner is given: a signed link names none. */
export async function findAttachment(
  pool: pg.Pool,
  id: string,
  partner?: string,
): Promise<AttachmentRow | undefined> {
  const { rows } = await pool.query<AttachmentRow>({
    name: "mobile.attachment",
    text: `select ${columns} from mobile_attachments.attachments where id = $1 and ($2::text is null or partner = $2)`,
    values: [id, partner ?? null],
  });
  return rows[0];
}

/** What is left for more that comes from outside, bytes; below zero where the quota is exceeded. */
export async function receivedRoom(pool: pg.Pool, partner: string, quota: Quota): Promise<number> {
  const { rows } = await pool.query<Quota>({
    name: "mobile.attachment_room",
    text: "select bytes::float8 as bytes, received::float8 as received from mobile_attachments.usage where partner = $1",
    values: [partner],
  });
  const { bytes, received } = rows[0] ?? { bytes: 0, received: 0 };
  return Math.min(quota.bytes - bytes, quota.received - received);
}

/**
 * Makes a row for an upload, and charges it, where the quota has room. The quota is kept by one row for each partner, so two uploads at once cannot both take the last of it; `taken`: there
 * is a row of this id.
 */
export async function beginUpload(
  pool: pg.Pool,
  attachment: NewAttachment,
  quota: Quota,
): Promise<"begun" | "full" | "taken"> {
  const { id, partner, object, key, name, contactId, charged, origin, account } = attachment;
  const client = await pool.connect();
  try {
    await client.query("begin");
    const added = await client.query(
      `insert into mobile_attachments.attachments (id, partner, status, object, key, name, contact_id, charged, received_at, fetched, account)
        values ($1, $2, 'pending', $3, $4, $5, $6, $7, case when $8 <> 'uploaded' then clock_timestamp() end, $8 = 'fetched', $9) on conflict do nothing`,
      [id, partner, object, key, name, contactId, charged, origin, account],
    );
    const booked =
      added.rowCount === 1 &&
      (await client.query(
        `insert into mobile_attachments.usage as u values ($1, $2) on conflict (partner)
          do update set bytes = u.bytes + excluded.bytes where u.bytes + excluded.bytes <= $3 and ($4::bigint is null or u.received <= $4)`,
        [
          account ?? partner,
          charged,
          quota.bytes,
          // The row that was just added is counted among them.
          origin === "received" ? quota.received : null,
        ],
      ));
    const outcome = booked === false ? "taken" : booked.rowCount === 1 ? "begun" : "full";
    await client.query(outcome === "begun" ? "commit" : "rollback");
    client.release();
    return outcome;
  } catch (error) {
    // The transaction ends with its connection.
    client.release(true);
    throw error;
  }
}

/** The bytes are stored: what they are, and what they take instead of what was charged for them. Undefined when the upload was given up meanwhile. */
export async function endUpload(
  pool: pg.Pool,
  { id, object }: Pick<AttachmentRow, "id" | "object">,
  found: {
    readonly type: string;
    readonly bytes: number;
    readonly content: string;
    readonly charged: number;
  },
): Promise<AttachmentRow | undefined> {
  const { rows } = await pool.query<AttachmentRow>(
    `with before as (select coalesce(account, partner) as account, charged from mobile_attachments.attachments where id = $1 and object = $2 and status = 'pending' for update),
      settled as (update mobile_attachments.usage u set bytes = u.bytes - before.charged + $6 from before where u.partner = before.account)
      update mobile_attachments.attachments set status = 'ready', type = $3, bytes = $4, content = $5, charged = $6, changed_at = clock_timestamp()
        where id = $1 and exists (select 1 from before) returning ${columns}`,
    [id, object, found.type, found.bytes, found.content, found.charged],
  );
  return rows[0];
}

/** It is there no more; its bytes go next. False when it was not. */
export async function markRemoved(
  pool: pg.Pool,
  { id, object }: Pick<AttachmentRow, "id" | "object">,
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `update mobile_attachments.attachments set status = 'removed', changed_at = clock_timestamp()
      where id = $1 and object = $2 and status <> 'removed'`,
    [id, object],
  );
  return rowCount === 1;
}

/** The same for one that is ready, but not for one that messages name unless `evenIfSent`. False when it was left. */
export async function markDeleted(
  pool: pg.Pool,
  { id, object }: Pick<AttachmentRow, "id" | "object">,
  evenIfSent: boolean,
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `update mobile_attachments.attachments set status = 'removed', changed_at = clock_timestamp()
      where id = $1 and object = $2 and status = 'ready' and ($3 or sent_at is null)`,
    [id, object, evenIfSent],
  );
  return rowCount === 1;
}

/** Of contacts that were erased: their keys are destroyed, so the bytes are of no use. */
export async function removeOfContacts(
  pool: pg.Pool,
  partner: string,
  contacts: readonly string[],
): Promise<void> {
  await pool.query(
    `update mobile_attachments.attachments set status = 'removed', changed_at = clock_timestamp()
      where partner = $1 and contact_id = any($2) and status <> 'removed'`,
    [partner, contacts],
  );
}

/** Rows that one statement marks. */
const removedAtOnce = 1_000;

/** Of a space that is over: whoever looks finds none already, and the bytes and rows go with the sweeps. */
export async function removeOfSpace(pool: pg.Pool, space: string): Promise<void> {
  for (let marked = removedAtOnce; marked === removedAtOnce;) {
    const { rowCount } = await pool.query(
      `update mobile_attachments.attachments set status = 'removed', changed_at = clock_timestamp()
        where ctid = any(array(select ctid from mobile_attachments.attachments where partner = $1 and status <> 'removed' limit ${removedAtOnce}))`,
      [space],
    );
    marked = rowCount ?? 0;
  }
}

/** Marks some of what came before these times, but what messages still wait to send: of what nobody's message names the first counts, and of what was fetched for sends the second. Gives them by partner. */
export async function removeReceived(
  pool: Pick<pg.Pool, "query">,
  before: { readonly unowned: Date; readonly fetched: Date; readonly kept: Date },
  now: Date,
  limit: number,
): Promise<ReadonlyMap<string, readonly string[]>> {
  // Two statements: with an `or` of both the index would give their order alone, and all that is kept would be read.
  const unowned = await markReceived(
    pool,
    "contact_id is null and sent_at is null and received_at < $1",
    [before.unowned, limit],
  );
  const kept = await markReceived(
    pool,
    "received_at < $1 and (needed_until is null or needed_until < $3)",
    [before.kept, limit, now],
  );
  // Some days after the last message that names it may still be sent, so that whoever answers sees what went out.
  const fetched = await markReceived(
    pool,
    "fetched and received_at < $1 and (needed_until is null or needed_until < $1)",
    [before.fetched, limit],
  );
  const byPartner = Map.groupBy([...unowned, ...kept, ...fetched], ({ partner }) => partner);
  return new Map([...byPartner].map(([partner, all]) => [partner, all.map(({ id }) => id)]));
}

async function markReceived(
  pool: Pick<pg.Pool, "query">,
  condition: string,
  values: readonly unknown[],
): Promise<readonly Pick<AttachmentRow, "id" | "partner">[]> {
  const { rows } = await pool.query<Pick<AttachmentRow, "id" | "partner">>(
    `update mobile_attachments.attachments set status = 'removed', changed_at = clock_timestamp()
      where ctid = any(array(select ctid from mobile_attachments.attachments
        where received_at is not null and status = 'ready' and ${condition} order by received_at limit $2))
      returning id, partner`,
    [...values],
  );
  return rows;
}

/** The keys of these are destroyed too. */
export async function removeAttachments(
  pool: pg.Pool,
  partner: string,
  ids: readonly string[],
): Promise<void> {
  await pool.query(
    `update mobile_attachments.attachments set status = 'removed', changed_at = clock_timestamp()
      where partner = $1 and id = any($2) and status <> 'removed'`,
    [partner, ids],
  );
}

/** The bytes are gone: so is the row, and its charge. */
export async function dropRemoved(
  pool: pg.Pool,
  { id, object }: Pick<AttachmentRow, "id" | "object">,
): Promise<void> {
  await pool.query(
    `with gone as (delete from mobile_attachments.attachments where id = $1 and object = $2 and status = 'removed' returning coalesce(account, partner) as account, charged)
      update mobile_attachments.usage u set bytes = u.bytes - gone.charged from gone where u.partner = gone.account`,
    [id, object],
  );
}

/** Those that are removed but for their bytes, and uploads that were begun before a time and never ended. */
export async function unfinished(
  pool: pg.Pool,
  pendingBefore: Date,
  limit: number,
): Promise<readonly AttachmentRow[]> {
  const { rows } = await pool.query<AttachmentRow>(
    `select ${columns} from mobile_attachments.attachments
      where status <> 'ready' and (status = 'removed' or changed_at < $1) order by changed_at limit $2`,
    [pendingBefore, limit],
  );
  return rows;
}
