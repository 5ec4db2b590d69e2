import type pg from "pg";

/** How gateways do, written by dispatch about once a second. Numbers of the last 256 calls; null before the first. */
export const gatewaysDdl = `
create schema if not exists gateways;
create table if not exists gateways.health (
  gateway_id text primary key,
  breaker text not null,
  success_rate double precision,
  latency_p50_ms double precision,
  latency_p95_ms double precision,
  calls bigint not null,
  in_flight int not null,
  updated_at timestamptz not null default now()
) with (fillfactor = 50);
`;

/** Of a gateway whose breaker is open because its calls have become slow: that, in words. */
export const slowDdl = `
alter table gateways.health add column if not exists slow text;
`;

/** Until when a gateway rests because its provider takes no more. */
export const throttledDdl = `
alter table gateways.health add column if not exists throttled_until timestamptz;
`;

export type GatewayHealth = {
  readonly gateway_id: string;
  readonly breaker: "closed" | "open" | "half_open";
  /** Why only what has no other way goes by it; null where that is not so. */
  readonly slow: string | null;
  /** Until when its provider takes no more; null where it does. */
  readonly throttled_until: Date | null;
  /** Share of the calls that did not fail by the gateway's or provider's own fault, 0 to 1. */
  readonly success_rate: number | null;
  readonly latency_p50_ms: number | null;
  readonly latency_p95_ms: number | null;
  /** Calls since dispatch started. */
  readonly calls: number;
  readonly in_flight: number;
};

/** Writes the rows in one statement. */
export async function writeGatewayHealth(
  pool: pg.Pool,
  rows: readonly GatewayHealth[],
): Promise<void> {
  const column = <Key extends keyof GatewayHealth>(key: Key) => rows.map((row) => row[key]);
  await pool.query({
    name: "gateways_health_write",
    text: `insert into gateways.health (gateway_id, breaker, success_rate, latency_p50_ms, latency_p95_ms, calls, in_flight, slow, throttled_until)
      select * from unnest($1::text[], $2::text[], $3::float8[], $4::float8[], $5::float8[], $6::bigint[], $7::int[], $8::text[], $9::timestamptz[])
      on conflict (gateway_id) do update set breaker = excluded.breaker, success_rate = excluded.success_rate,
        latency_p50_ms = excluded.latency_p50_ms, latency_p95_ms = excluded.latency_p95_ms, calls = excluded.calls,
        in_flight = excluded.in_flight, slow = excluded.slow, throttled_until = excluded.throttled_until, updated_at = now()`,
    values: [
      column("gateway_id"),
      column("breaker"),
      column("success_rate"),
      column("latency_p50_ms"),
      column("latency_p95_ms"),
      column("calls"),
      column("in_flight"),
      column("slow"),
      column("throttled_until"),
    ],
  });
}

/** Health by gateway id; a gateway that dispatch has not used yet is missing, and all are before dispatch first started. Whoever reads may be ahead of the dispatch that makes the columns. */
export async function readGatewayHealth(
  pool: pg.Pool,
): Promise<ReadonlyMap<string, GatewayHealth>> {
  try {
    const { rows } = await pool.query({
      name: "gateways_health",
      text: `select gateway_id, breaker, success_rate, latency_p50_ms, latency_p95_ms, calls::float8 as calls, in_flight, to_jsonb(health) ->> 'slow' as slow, (to_jsonb(health) ->> 'throttled_until')::timestamptz as throttled_until from gateways.health`,
    });
    return new Map(rows.map((row: GatewayHealth) => [row.gateway_id, row]));
  } catch (error) {
    if (["42P01", "3F000"].includes((error as { code?: string }).code ?? "")) return new Map();
    throw error;
  }
}
