import type { WritePart } from "@heliograph/runtime";
import type pg from "pg";

/** A broadcast that runs, or that starts by itself at a time. What it says stands in its stream alone: these are read all the time. */
export type Job = {
  readonly id: string;
  readonly partner: string;
  readonly status: "draft" | "running";
  /** Epoch milliseconds. */
  readonly send_at: number | null;
  readonly started_position: string | null;
  readonly collected_to: string;
  readonly collected: boolean;
  readonly audience: number;
  readonly accepted: number;
  readonly sent: number;
  readonly failed: number;
  readonly skipped: number;
};

/** So many in the order of their ids, behind one: whoever goes on behind the last of them comes by everybody, however many can do nothing. */
export async function openJobs(
  pool: pg.Pool,
  after: string,
  limit: number,
): Promise<readonly Job[]> {
  const { rows } = await pool.query<Job>({
    name: "broadcasts.jobs",
    text: `select id, partner, status, (extract(epoch from send_at) * 1000)::float8 as send_at, started_position::text, collected_to::text, collected,
        audience::float8, accepted::float8, sent::float8, failed::float8, skipped::float8
      from broadcasts.broadcasts where status in ('draft', 'running', 'paused') and (status = 'running' or (status = 'draft' and send_at is not null)) and id > $1
      order by id limit $2`,
    values: [after, limit],
  });
  return rows;
}

/** Whether messages of broadcasts may still be under way: one that was accepted is sent or ends within its validity, seven days at most, and its receipts come a day later at most. */
export async function isFollowed(pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query<{ followed: boolean }>(
    `select exists (select from broadcasts.broadcasts where started_at is not null
      and (ended_at is null or ended_at::timestamptz > now() - interval '8 days')) as followed`,
  );
  return rows[0]!.followed;
}

/** One of an audience whose message is to be accepted. */
export type Recipient = {
  readonly contact_id: string;
  readonly message_id: string;
  readonly attempt: number;
};

/** The next ones of a broadcast, in their order. */
export async function nextRecipients(
  pool: pg.Pool,
  id: string,
  limit: number,
): Promise<readonly Recipient[]> {
  const { rows } = await pool.query<Recipient>({
    name: "broadcasts.next",
    text: `select contact_id, message_id, attempt from broadcasts.recipients where broadcast_id = $1 and state = 'pending'
      order by number limit $2`,
    values: [id, limit],
  });
  return rows;
}

/** Those whose messages these are. */
export async function recipientsOf(
  pool: pg.Pool,
  messageIds: readonly string[],
): Promise<readonly (Recipient & { readonly broadcast_id: string })[]> {
  const { rows } = await pool.query<Recipient & { readonly broadcast_id: string }>({
    name: "broadcasts.recipients_of",
    text: "select broadcast_id, contact_id, message_id, attempt from broadcasts.recipients where message_id = any($1::text[])",
    values: [messageIds],
  });
  return rows;
}

/** A contact with the id of the message that it will be sent. */
export type NewRecipient = Pick<Recipient, "contact_id" | "message_id">;

const freshOnes = `from unnest($2::text[], $3::text[]) with ordinality as n(contact_id, message_id, place)
  where exists (select from {schema}.broadcasts where id = $1)
    and not exists (select from {schema}.recipients r where r.broadcast_id = $1 and r.contact_id = n.contact_id)`;

/** Adds contacts behind those that are there, each once. `to`: how far the audience is read with them; `all`: nobody comes after them. */
export function collectParts(
  id: string,
  found: readonly NewRecipient[],
  to: string,
  all: boolean,
): readonly WritePart[] {
  const who = [found.map((each) => each.contact_id), found.map((each) => each.message_id)];
  return [
    {
      name: "broadcasts_collect",
      sql: `insert into {schema}.recipients (broadcast_id, number, contact_id, message_id)
        select $1, (select audience from {schema}.broadcasts where id = $1) + row_number() over (order by n.place), n.contact_id, n.message_id ${freshOnes}`,
      values: [id, ...who],
    },
    {
      name: "broadcasts_collected",
      sql: `update {schema}.broadcasts set audience = audience + (select count(*) ${freshOnes}), collected_to = $4, collected = $5 where id = $1`,
      values: [id, ...who, to, all],
    },
  ];
}

export type Skipped = Pick<Recipient, "message_id"> & { readonly reason: string };

/** What became of a page, and whom those that were merged are part of now: they take their places. */
export function pageParts(
  id: string,
  accepted: readonly string[],
  skipped: readonly Skipped[],
  added: readonly NewRecipient[],
): readonly WritePart[] {
  const messages = [...accepted, ...skipped.map((each) => each.message_id)];
  const reasons = [...accepted.map(() => null), ...skipped.map((each) => each.reason)];
  // What a rejected message has made pending again meanwhile has another message: it is not found by this one.
  const settled = `from unnest($2::text[], $3::text[]) as p(message_id, reason)
    join {schema}.recipients r on r.message_id = p.message_id and r.broadcast_id = $1 and r.state = 'pending'`;
  const add = added.map((each) => each.contact_id);
  return [
    {
      name: "broadcasts_page",
      sql: `update {schema}.recipients t set state = case when p.reason is null then 'accepted' else 'skipped' end, reason = p.reason
        ${settled} where t.message_id = p.message_id`,
      values: [id, messages, reasons],
    },
    {
      name: "broadcasts_page_added",
      sql: `insert into {schema}.recipients (broadcast_id, number, contact_id, message_id)
        select $1, (select audience from {schema}.broadcasts where id = $1) + row_number() over (order by n.place), n.contact_id, n.message_id ${freshOnes}`,
      values: [id, add, added.map((each) => each.message_id)],
    },
    {
      name: "broadcasts_page_counts",
      sql: `update {schema}.broadcasts set
          accepted = accepted + (select count(*) ${settled} where p.reason is null),
          skipped = skipped + (select count(*) ${settled} where p.reason is not null),
          audience = audience + (select count(*) from unnest($4::text[]) as n(contact_id)
            where not exists (select from {schema}.recipients r where r.broadcast_id = $1 and r.contact_id = n.contact_id))
        where id = $1`,
      values: [id, messages, reasons, add],
    },
  ];
}

/** What became of a message after it was accepted. */
export type Outcome = {
  readonly message_id: string;
  readonly outcome: "sent" | "failed";
  /** It takes back whatever was told before. */
  readonly corrects: boolean;
};

/**
 * Notes outcomes: the first one, that what was sent was reported as not delivered, and corrections. Each message is there once. What has an outcome was accepted: whoever accepted it may have died before
 * he counted it, and a broadcast that was paused or canceled meanwhile sends no page again by which it would be found.
 */
export function outcomeParts(outcomes: readonly Outcome[]): readonly WritePart[] {
  const values = [
    outcomes.map((each) => each.message_id),
    outcomes.map((each) => each.outcome),
    outcomes.map((each) => each.corrects),
  ] as const;
  const changed = `from unnest($1::text[], $2::text[], $3::boolean[]) as o(message_id, outcome, corrects)
    join {schema}.recipients r on r.message_id = o.message_id and (r.outcome is null or (r.outcome <> o.outcome and (o.outcome = 'failed' or o.corrects)))`;
  return [
    {
      name: "broadcasts_outcomes",
      sql: `update {schema}.recipients t set outcome = o.outcome, state = case r.state when 'pending' then 'accepted' else r.state end ${changed} where t.message_id = o.message_id`,
      values,
    },
    {
      name: "broadcasts_outcome_counts",
      sql: `update {schema}.broadcasts b set accepted = b.accepted + d.accepted, sent = b.sent + d.sent, failed = b.failed + d.failed
        from (select r.broadcast_id, count(*) filter (where r.state = 'pending') as accepted, count(*) filter (where o.outcome = 'failed') - count(*) filter (where r.outcome = 'failed') as failed,
            count(*) filter (where o.outcome = 'sent') - count(*) filter (where r.outcome = 'sent') as sent
          ${changed} group by r.broadcast_id) d
        where b.id = d.broadcast_id`,
      values,
    },
  ];
}

/** One whose message was rejected for want of money: it will be sent another one. */
export type Retried = Recipient & { readonly next: string };

export function retryParts(retried: readonly Retried[]): readonly WritePart[] {
  const messages = retried.map((each) => each.message_id);
  return [
    {
      name: "broadcasts_retry",
      sql: `update {schema}.recipients t set state = 'pending', outcome = null, message_id = o.next, attempt = t.attempt + 1
        from unnest($1::text[], $2::text[]) as o(message_id, next) where t.message_id = o.message_id`,
      values: [messages, retried.map((each) => each.next)],
    },
    {
      name: "broadcasts_retry_counts",
      sql: `update {schema}.broadcasts b set accepted = b.accepted - d.accepted
        from (select broadcast_id, count(*) filter (where state = 'accepted') as accepted
          from {schema}.recipients where message_id = any($1::text[]) group by broadcast_id) d
        where b.id = d.broadcast_id`,
      values: [messages],
    },
  ];
}
