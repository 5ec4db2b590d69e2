import type pg from "pg";
import type { DeliveryStatus } from "./webhooks.ts";

export type ReplayFilter = {
  readonly partner: string;
  readonly endpointId: string;
  readonly statuses: readonly DeliveryStatus[];
  readonly types?: readonly string[];
  /** Epoch milliseconds of the event: inclusive. */
  readonly since?: number;
  /** Exclusive. */
  readonly until?: number;
  readonly afterSequence?: number;
  readonly limit: number;
};

/** Ids and sequences of an endpoint's deliveries that a replay means, oldest first. Test deliveries, which have no sequence, are left out. */
export async function matchDeliveries(
  pool: pg.Pool,
  filter: ReplayFilter,
): Promise<readonly { readonly id: string; readonly sequence: number }[]> {
  const { rows } = await pool.query<{ id: string; sequence: number }>({
    name: "webhooks_replay_match",
    text: `select id, sequence::float8 as sequence from webhooks.deliveries
      where endpoint_id = $1 and partner = $2 and status = any($3::text[]) and sequence > $4
        and ($5::text[] is null or type = any($5)) and ($6::bigint is null or created_at >= $6) and ($7::bigint is null or created_at < $7)
      order by position limit $8`,
    values: [
      filter.endpointId,
      filter.partner,
      filter.statuses,
      filter.afterSequence ?? 0,
      filter.types ?? null,
      filter.since ?? null,
      filter.until ?? null,
      filter.limit,
    ],
  });
  return rows;
}

export type ReplayProgress = {
  /** Attempted since the replay was asked for. */
  readonly attempted: number;
  readonly delivered: number;
  readonly failed: number;
};

/** How far the deliveries of a replay are; `since` (RFC 3339, UTC, milliseconds) is when it was asked for. */
export async function readReplayProgress(
  pool: pg.Pool,
  ids: readonly string[],
  since: string,
): Promise<ReplayProgress> {
  const { rows } = await pool.query<ReplayProgress>({
    name: "webhooks_replay_progress",
    text: `select count(*)::int as attempted, (count(*) filter (where status = 'delivered'))::int as delivered,
        (count(*) filter (where status = 'failed'))::int as failed
      from webhooks.deliveries where id = any($1::text[]) and (attempts::json -> -1 ->> 'at') >= $2`,
    values: [ids, since],
  });
  return rows[0]!;
}
