import { readSketch, type Sketch } from "@heliograph/domain";
import type pg from "pg";

/**
 * What the attempts of an endpoint's hour (since 1970 UTC) came to, and how long they took: counts as `writeSketch` has them, of `attemptOutcomes` and of durations. Every run of the
 * reactor has rows of its own (`part`), which it writes whole and never reads: laid end to end they are their sum.
 */
export const statisticsDdl = `
create table {schema}.hours (
  endpoint_id text not null,
  hour int not null,
  part bigint not null,
  outcomes bytea not null,
  durations bytea not null,
  primary key (endpoint_id, hour, part)
) with (fillfactor = 70);
`;

/** Those are kept. */
export const keptHours = 31 * 24;

/** What an attempt came to. Rows hold the place in this list: names are only added, at its end. */
export const attemptOutcomes = [
  "delivered",
  "redirect_not_followed",
  "status_4xx",
  "status_5xx",
  "timeout",
  "connect_timeout",
  "connection_failed",
  "dns_failed",
  "tls_failed",
  "bad_answer",
  "address_refused",
  "endpoint_unusable",
  "keys_unavailable",
] as const;
export type AttemptOutcome = (typeof attemptOutcomes)[number];

export type HourCounts = {
  readonly hour: number;
  readonly outcomes: Sketch;
  readonly durations: Sketch;
};

/** An endpoint's hours from one on. */
export async function readHours(
  pool: pg.Pool,
  endpointId: string,
  from: number,
): Promise<readonly HourCounts[]> {
  const { rows } = await pool.query<{ hour: number; outcomes: Buffer; durations: Buffer }>({
    name: "webhooks_hours",
    text: "select hour, outcomes, durations from webhooks.hours where endpoint_id = $1 and hour >= $2",
    values: [endpointId, from],
  });
  return rows.map(({ hour, outcomes, durations }) => ({
    hour,
    outcomes: readSketch(outcomes),
    durations: readSketch(durations),
  }));
}

export type Waiting = {
  readonly count: number;
  /** Epoch ms; null when nothing waits. */
  readonly oldest: number | null;
  readonly next: number | null;
};

/** What waits for an endpoint, counted up to `most`; each part reads one index. */
export async function readWaiting(
  pool: pg.Pool,
  endpointId: string,
  most: number,
): Promise<Waiting> {
  const { rows } = await pool.query<Waiting>({
    name: "webhooks_waiting",
    text: `select
      (select count(*)::int from (select from webhooks.deliveries where endpoint_id = $1 and status = 'pending' limit $2) counted) as count,
      (select created_at::float8 from webhooks.deliveries where endpoint_id = $1 and status = 'pending' order by position limit 1) as oldest,
      (select min(next_attempt_at)::float8 from webhooks.deliveries where endpoint_id = $1 and status = 'pending') as next`,
    values: [endpointId, most],
  });
  return rows[0]!;
}
