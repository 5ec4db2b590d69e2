import type pg from "pg";
import type { AuditEntry } from "./context.ts";

/** Answers of mutating calls (messages keep theirs in the log), for at least 24 hours. In each environment's database. */
const ddl = `
create schema if not exists ingress;
create table if not exists ingress.idempotency (
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
create index if not exists idempotency_age on ingress.idempotency (created_at);
create table if not exists ingress.audit (
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
create index if not exists audit_at on ingress.audit (at);
create index if not exists audit_actor on ingress.audit (actor, id);
`;

/** Creates what is missing; concurrent starts wait for each other. */
export async function migrate(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query("select pg_advisory_lock(7233101)");
    try {
      await client.query(ddl);
    } finally {
      await client.query("select pg_advisory_unlock(7233101)");
    }
    client.release();
  } catch (error) {
    // Its connection may be silent, or hold the lock still.
    client.release(true);
    throw error;
  }
}

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
        where (not i.done and i.lease_until < now() and i.fingerprint = excluded.fingerprint) or i.created_at < now() - interval '25 hours'
        returning created_at < now() as unfinished`,
      values: [row.partner, row.key, row.fingerprint, row.requestId, row.token, row.leaseSeconds],
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

/** Keeps the answer of a claim that is still ours. */
export async function keep(
  pool: pg.Pool,
  partner: string,
  key: string,
  token: string,
  answer: Uint8Array,
): Promise<void> {
  await pool.query({
    name: "ingress.keep",
    text: "update ingress.idempotency set done = true, answer = $4 where partner = $1 and key = $2 and token = $3",
    values: [partner, key, token, answer],
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

/** Drops answers older than 25 hours and audit entries older than 400 days: a year, and the time to look into it. */
export async function purge(pool: pg.Pool): Promise<void> {
  await pool.query(
    "delete from ingress.idempotency where created_at < now() - interval '25 hours'",
  );
  await pool.query("delete from ingress.audit where at < now() - interval '400 days'");
}

/** Adds audit entries in one statement. */
export async function writeAudit(pool: pg.Pool, entries: readonly AuditEntry[]): Promise<void> {
  const column = (key: keyof AuditEntry): unknown[] => entries.map((entry) => entry[key]);
  await pool.query({
    name: "ingress.audit",
    text: `insert into ingress.audit (at, partner, actor, action, target, request_id, ip, outcome)
      select to_timestamp(at / 1000.0), partner, actor, action, target, request_id, ip, outcome
      from unnest($1::float8[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[])
        as t(at, partner, actor, action, target, request_id, ip, outcome)`,
    values: [
      column("at"),
      column("partner"),
      column("actor"),
      column("action"),
      column("target"),
      column("requestId"),
      column("ip"),
      column("outcome"),
    ],
  });
}

export type AuditRow = {
  readonly id: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly partner: string;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly request_id: string;
  readonly ip: string;
  readonly outcome: number;
};

/** Audit entries, newest first; `before` is the id of the last one seen, `from` is inclusive and `to` exclusive (epoch ms). */
export async function readAudit(
  pool: pg.Pool,
  query: {
    readonly limit: number;
    readonly before?: string;
    readonly actor?: string;
    readonly action?: string;
    readonly from?: number;
    readonly to?: number;
  },
): Promise<readonly AuditRow[]> {
  const { rows } = await pool.query<AuditRow>({
    name: "ingress.audit_read",
    text: `select id::text, to_char(at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as time, partner, actor, action, target, request_id, ip, outcome
      from ingress.audit
      where ($1::bigint is null or id < $1) and ($2::text is null or actor = $2) and ($3::text is null or action = $3)
        and ($4::float8 is null or at >= to_timestamp($4 / 1000.0)) and ($5::float8 is null or at < to_timestamp($5 / 1000.0))
      order by id desc limit $6`,
    values: [
      query.before ?? null,
      query.actor ?? null,
      query.action ?? null,
      query.from ?? null,
      query.to ?? null,
      query.limit,
    ],
  });
  return rows;
}

/** SQLSTATE of a schema or table that is not there. */
const missing = new Set(["3F000", "42P01"]);

/** How far a consumer is: the position in its checkpoint, 0n before it ran for the first time. `schema` comes from our own code. */
export async function checkpointOf(pool: pg.Pool, schema: string): Promise<bigint> {
  try {
    const found = await pool.query({
      name: `ingress.checkpoint.${schema}`,
      text: `select max(position)::text as position from ${schema}.checkpoint`,
    });
    return BigInt(found.rows[0]?.position ?? "0");
  } catch (error) {
    if (missing.has((error as { code?: string }).code ?? "")) return 0n;
    throw error;
  }
}
