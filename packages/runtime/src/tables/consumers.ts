import type pg from "pg";
import type { ConsumerStatus } from "../status.ts";

/** Shows the consumers of this process to every process: `GET /admin/projections` reads it, and a standby sees a holder that went silent. */
export async function heartbeat(
  pool: pg.Pool,
  owner: string,
  statuses: readonly ConsumerStatus[],
): Promise<void> {
  const own = statuses.filter(
    ({ state }) => state !== "waiting" && state !== "cut_off" && state !== "starting",
  );
  if (own.length === 0) return;
  await pool.query({
    name: "runtime_heartbeat",
    text: `insert into runtime.consumers (name, schema, kind, position, head, rate, status, last_error, owner, behind_since, updated_at)
      select name, schema, kind, position, head, rate, status, last_error, $9, to_timestamp(behind_ms / 1000.0), now()
      from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::float8[], $7::text[], $8::text[], $10::float8[])
        as t(name, schema, kind, position, head, rate, status, last_error, behind_ms)
      on conflict (name) do update set schema = excluded.schema, kind = excluded.kind, position = excluded.position, head = excluded.head,
        rate = excluded.rate, status = excluded.status, last_error = excluded.last_error, owner = excluded.owner, behind_since = excluded.behind_since, updated_at = now()`,
    values: [
      own.map((s) => s.name),
      own.map((s) => s.consumer.schema),
      own.map((s) => s.consumer.kind),
      own.map((s) => s.position),
      own.map((s) => s.head),
      own.map((s) => s.rate),
      own.map((s) => s.state),
      own.map((s) => s.lastError ?? null),
      owner,
      own.map((s) => s.behindSince ?? null),
    ],
  });
}

/**
 * A consumer that nobody showed and no process knew for so long belongs to a release that is gone. Long enough that a service which is only down stays on
 * the list, as silent, until somebody has looked.
 */
const retiredAfter = "24 hours";

/** Marks the consumers of this process as known, also those it stands by for. */
export async function markKnown(pool: pg.Pool, names: readonly string[]): Promise<void> {
  await pool.query({
    name: "runtime_known",
    text: "update runtime.consumers set known_at = now() where name = any($1::text[])",
    values: [names],
  });
}

/** Takes retired consumers off the list; gives their names. */
export async function forgetRetired(pool: pg.Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string }>(
    "delete from runtime.consumers where greatest(updated_at, known_at) < now() - $1::interval returning name",
    [retiredAfter],
  );
  return rows.map(({ name }) => name);
}

export type ProjectionRow = {
  readonly name: string;
  readonly kind: string;
  readonly position: bigint;
  /** Where a shard's own events end; undefined for a whole consumer, whose head is the log's. */
  readonly head: bigint | undefined;
  readonly rate: number;
  readonly status: string;
  readonly last_error: string | undefined;
  readonly behindMs: number;
};

/** The consumers of an environment as their owners last showed them. */
export async function listProjections(pool: pg.Pool): Promise<readonly ProjectionRow[]> {
  const { rows } = await pool.query(
    `select name, kind, position::text, case when name like '%/%' then head::text end as head, rate, case when updated_at < now() - interval '10 seconds' then 'silent' else status end as status, last_error,
       coalesce(extract(epoch from now() - behind_since) * 1000, 0)::float8 as behind_ms from runtime.consumers order by name`,
  );
  return rows.map((row) => ({
    name: row.name as string,
    kind: row.kind as string,
    position: BigInt(row.position as string),
    head: row.head === null ? undefined : BigInt(row.head as string),
    rate: row.rate as number,
    status: row.status as string,
    last_error: (row.last_error as string | null) ?? undefined,
    behindMs: Math.round(row.behind_ms as number),
  }));
}
