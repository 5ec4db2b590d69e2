import type pg from "pg";

/** Endpoints of which nothing but failures comes, the longest first. Read from outside of the service. */
export async function failingEndpoints(
  pool: pg.Pool,
): Promise<readonly { readonly endpointId: string; readonly sinceMs: number }[]> {
  const { rows } = await pool.query<{ endpointId: string; sinceMs: number }>(
    `select f.endpoint_id as "endpointId", f.since::float8 as "sinceMs" from webhooks.failing f
      join webhooks.endpoints e on e.id = f.endpoint_id where e.status = 'enabled' and f.failed_for_ms > 0 order by f.since limit 100`,
  );
  return rows;
}

/** Deliveries whose next attempt should have been made before a time (epoch ms), and since when the first of them waits. Those of an endpoint that fails wait for it, and are its owner's to mend. */
export async function overdueDeliveries(
  pool: pg.Pool,
  before: number,
): Promise<{ readonly count: number; readonly oldestMs: number | null }> {
  const { rows } = await pool.query<{ count: number; oldestMs: number | null }>(
    `select count(*)::float8 as count, min(next_attempt_at)::float8 as "oldestMs" from webhooks.deliveries d
      where status = 'pending' and next_attempt_at < $1
        and not exists (select from webhooks.failing f where f.endpoint_id = d.endpoint_id and f.failed_for_ms > 0)`,
    [Math.floor(before)],
  );
  return rows[0]!;
}
