import type { OwnTables } from "@heliograph/runtime";
import type pg from "pg";

/** Answers of mutating calls (messages keep theirs in the log), for at least 24 hours. In each environment's database. */
export const idempotencyTables: OwnTables = {
  schema: "ingress",
  migrations: [
    `create table if not exists ingress.idempotency (
  partner text not null,
  key text not null,
  fingerprint text not null,
  request_id text not null,
  token uuid not null,
  done boolean not null default false,
  lease_until timestamptz not null,
  answer bytea,
  created_at timestamptz not null default now(),
  primary key (partner, key)
);
create index if not exists idempotency_age on ingress.idempotency (created_at);`,
  ],
};

export type Claim =
  | {
      readonly kind: "claimed";
      /** An earlier try of this very request ended without an answer. */
      readonly unfinished: boolean;
    }
  | {
      readonly kind: "taken";
      readonly fingerprint: string;
      readonly requestId: string;
      readonly done: boolean;
      readonly answer: Buffer | null;
      readonly leaseMs: number;
    };

/** Claims a key, also one whose holder's lease ran out, and one that is past its 24 hours. */
export async function claim(
  pool: pg.Pool,
  row: {
    partner: string;
    key: string;
    fingerprint: string;
    /** The form in which earlier releases kept it. */
    earlier: string;
    requestId: string;
    token: string;
    leaseSeconds: number;
  },
): Promise<Claim> {
  // Twice: between the refused insert and the read the row may have been given back.
  for (let pass = 0; pass < 2; pass++) {
    const claimed = await pool.query({
      name: "ingress.claim",
      text: `insert into ingress.idempotency as i (partner, key, fingerprint, request_id, token, lease_until)
        values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
        on conflict (partner, key) do update set fingerprint = excluded.fingerprint, request_id = excluded.request_id, token = excluded.token,
          lease_until = excluded.lease_until, done = false, answer = null,
          created_at = case when i.created_at < now() - interval '25 hours' then now() else i.created_at end
        where (not i.done and i.lease_until < now() and i.fingerprint in (excluded.fingerprint, $7)) or i.created_at < now() - interval '25 hours'
        returning created_at < now() as unfinished`,
      values: [
        row.partner,
        row.key,
        row.fingerprint,
        row.requestId,
        row.token,
        row.leaseSeconds,
        row.earlier,
      ],
    });
    if (claimed.rowCount === 1) return { kind: "claimed", unfinished: claimed.rows[0].unfinished };
    const found = await pool.query({
      name: "ingress.claimed",
      text: `select fingerprint, request_id, done, answer, greatest(0, extract(epoch from lease_until - now()) * 1000)::int as lease_ms
        from ingress.idempotency where partner = $1 and key = $2`,
      values: [row.partner, row.key],
    });
    const taken = found.rows[0];
    if (taken !== undefined)
      return {
        kind: "taken",
        fingerprint: taken.fingerprint,
        requestId: taken.request_id,
        done: taken.done,
        answer: taken.answer,
        leaseMs: taken.lease_ms,
      };
  }
  return {
    kind: "taken",
    fingerprint: row.fingerprint,
    requestId: row.requestId,
    done: false,
    answer: null,
    leaseMs: 1_000,
  };
}

export type TakenKey = {
  readonly partner: string;
  readonly key: string;
  readonly requestId: string;
  readonly done: boolean;
  readonly leaseMs: number;
};

/** Those of the keys that are claimed, by whichever call, and those of the partners who have no claims at all. A connection that does not answer in time is given up. */
export async function takenKeys(
  pool: pg.Pool,
  asked: readonly { readonly partner: string; readonly key: string }[],
  patienceMs: number,
): Promise<{ readonly taken: readonly TakenKey[]; readonly without: readonly string[] }> {
  const partners = asked.map(({ partner }) => partner);
  const timeout = { query_timeout: patienceMs };
  const { rows } = await pool.query<TakenKey | { readonly partner: string; readonly key: null }>({
    ...timeout,
    name: "ingress.taken",
    text: `select partner, key, request_id as "requestId", done, greatest(0, extract(epoch from lease_until - now()) * 1000)::int as "leaseMs"
        from unnest($1::text[], $2::text[]) as asked (partner, key) join ingress.idempotency using (partner, key) where created_at >= now() - interval '25 hours'
      union all select partner, null, null, null, null from unnest($3::text[]) as sender (partner)
        where not exists (select from ingress.idempotency as claimed where claimed.partner = sender.partner)`,
    values: [partners, asked.map(({ key }) => key), [...new Set(partners)]],
  });
  return {
    taken: rows.filter((row): row is TakenKey => row.key !== null),
    without: rows.flatMap(({ partner, key }) => (key === null ? [partner] : [])),
  };
}

/** Keeps the answer of a claim that is still ours, if it is not found otherwise, and the fingerprint in the form in which it stays. */
export async function keep(
  pool: pg.Pool,
  partner: string,
  key: string,
  token: string,
  fingerprint: string,
  answer: Uint8Array | null,
): Promise<void> {
  await pool.query({
    name: "ingress.keep",
    text: "update ingress.idempotency set done = true, fingerprint = $4, answer = $5 where partner = $1 and key = $2 and token = $3",
    values: [partner, key, token, fingerprint, answer],
  });
}

/** Keeps a key for a request that ran beside the try that claimed it, whatever becomes of that one. */
export async function settle(
  pool: pg.Pool,
  row: { partner: string; key: string; fingerprint: string; requestId: string; token: string },
): Promise<void> {
  await pool.query({
    name: "ingress.settle",
    text: `insert into ingress.idempotency as i (partner, key, fingerprint, request_id, token, done, lease_until) values ($1, $2, $3, $4, $5, true, now())
      on conflict (partner, key) do update set done = true where i.fingerprint = excluded.fingerprint`,
    values: [row.partner, row.key, row.fingerprint, row.requestId, row.token],
  });
}

/** Gives a claim back: nothing happened (`forget`), or it is unknown what did and only the same request may try again. */
export async function giveBack(
  pool: pg.Pool,
  partner: string,
  key: string,
  token: string,
  forget: boolean,
): Promise<void> {
  await pool.query(
    forget
      ? {
          name: "ingress.forget",
          text: "delete from ingress.idempotency where partner = $1 and key = $2 and token = $3 and not done",
          values: [partner, key, token],
        }
      : {
          name: "ingress.release",
          text: "update ingress.idempotency set lease_until = now() where partner = $1 and key = $2 and token = $3",
          values: [partner, key, token],
        },
  );
}

/** Drops answers older than 25 hours. */
export async function purge(pool: pg.Pool): Promise<void> {
  await pool.query(
    "delete from ingress.idempotency where created_at < now() - interval '25 hours'",
  );
}

export type KeptAnswer = {
  readonly partner: string;
  readonly key: string;
  readonly answer: Buffer;
};

/** The next answers behind one of them, by partner and key, of those that may still be asked for. None where no API was served yet. */
export async function keptAnswers(
  pool: pg.Pool,
  after: Pick<KeptAnswer, "partner" | "key">,
  limit: number,
): Promise<readonly KeptAnswer[]> {
  const there = await pool.query("select to_regclass('ingress.idempotency') is not null as there");
  if (there.rows[0].there !== true) return [];
  const { rows } = await pool.query<KeptAnswer>(
    `select partner, key, answer from ingress.idempotency
      where (partner, key) > ($1, $2) and answer is not null and created_at > now() - interval '25 hours' order by partner, key limit $3`,
    [after.partner, after.key, limit],
  );
  return rows;
}
