import type { Environment } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import type pg from "pg";
import { Gauge, Counter, register } from "prom-client";
import type { Unit } from "./source.ts";
import type { Consumer } from "./types.ts";

/** What a consumer shows of itself. Mutable: its loop writes, the heartbeat and `/metrics` read. */
export type ConsumerStatus = {
  readonly environment: Environment;
  readonly consumer: Consumer;
  /** The consumer's name, with the shard's number where it is one of several. */
  readonly name: string;
  /** One of several: its head is its own last event. */
  readonly sharded: boolean;
  position: bigint;
  head: bigint;
  handled: number;
  /** `waiting` for another copy to give its lease up; `cut_off` when the database does not even answer that it is taken. */
  state: "starting" | "waiting" | "cut_off" | "running" | "rebuilding" | "backing_off" | "stopped";
  lastError: string | undefined;
  lastErrorAt: number;
  behindSince: number | undefined;
  rate: number;
};

export const newStatus = (environment: Environment, unit: Unit): ConsumerStatus => ({
  environment,
  consumer: unit.consumer,
  name: unit.name,
  sharded: unit.shard !== undefined,
  position: 0n,
  head: 0n,
  handled: 0,
  state: "starting",
  lastError: undefined,
  lastErrorAt: 0,
  behindSince: undefined,
  rate: 0,
});

const labels = ["environment", "consumer"] as const;
const positionGauge = new Gauge({
  name: "heliograph_consumer_position",
  help: "Position of the checkpoint",
  labelNames: labels,
});
const lagGauge = new Gauge({
  name: "heliograph_consumer_lag_events",
  help: "Events between the checkpoint and the head",
  labelNames: labels,
});
const rateGauge = new Gauge({
  name: "heliograph_consumer_rate",
  help: "Events handled per second over the last heartbeat",
  labelNames: labels,
});
const stalledGauge = new Gauge({
  name: "heliograph_consumer_stalled",
  help: "1 while lag grows and the position stands still",
  labelNames: labels,
});
export const consumerErrors = new Counter({
  name: "heliograph_consumer_errors_total",
  help: "Errors that stopped a batch",
  labelNames: labels,
});
export const consumerFenced = new Counter({
  name: "heliograph_consumer_fenced_total",
  help: "Commits refused because another process had taken over",
  labelNames: labels,
});

export { register as metricsRegister };

const stalledAfterMs = 30_000;

/** Watches lag: true when the consumer has been behind for a while without moving. */
export function updateWatch(
  log: Pick<EventLog, "span">,
  status: ConsumerStatus,
  previousPosition: bigint,
  handledBefore: number,
  elapsedMs: number,
  now: number,
): boolean {
  status.rate = ((status.handled - handledBefore) * 1000) / Math.max(1, elapsedMs);
  const behind = status.head > status.position;
  if (!behind || status.position !== previousPosition)
    status.behindSince = behind ? now : undefined;
  else status.behindSince ??= now;
  const stalled = status.behindSince !== undefined && now - status.behindSince > stalledAfterMs;
  const at = { environment: status.environment, consumer: status.name };
  positionGauge.set(at, Number(status.position));
  lagGauge.set(at, log.span(status.position, status.head));
  rateGauge.set(at, status.rate);
  stalledGauge.set(at, stalled ? 1 : 0);
  return stalled;
}

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
