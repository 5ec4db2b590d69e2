import type { AuditEntry } from "@heliograph/api";
import type { OwnTables } from "@heliograph/runtime";
import type pg from "pg";

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
  ],
};

/** Drops entries older than 400 days: a year, and the time to look into it. */
export async function purgeAudit(pool: pg.Pool): Promise<void> {
  await pool.query("delete from control.audit where at < now() - interval '400 days'");
}

/** Adds audit entries in one statement. */
export async function writeAudit(pool: pg.Pool, entries: readonly AuditEntry[]): Promise<void> {
  const column = (key: keyof AuditEntry): unknown[] => entries.map((entry) => entry[key]);
  await pool.query({
    name: "control.audit",
    text: `insert into control.audit (at, partner, actor, action, target, request_id, ip, outcome)
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
    name: "control.audit_read",
    text: `select id::text, to_char(at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as time, partner, actor, action, target, request_id, ip, outcome
      from control.audit
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
