import type { Endpoint } from "@heliograph/domain";
import type pg from "pg";

/**
 * Endpoints and deliveries as services/webhooks records them. `state` and `attempts` are JSON text; times are epoch milliseconds; `body` is kept only
 * while a delivery is pending (later it is built again from the event at `position`). `sequences` are the partners' counters as of the checkpoint.
 * `tries` counts the attempts of the current schedule, which starts anew when the owner asks for a retry; `replay` is the replay it then belongs to, and `before` the status it had.
 */
export const webhooksDdl = `
create table if not exists {schema}.endpoints (
  id text primary key,
  partner text not null,
  status text not null,
  created_position bigint not null,
  state text not null
);
create index if not exists endpoints_partner on {schema}.endpoints (partner, created_position);
create table if not exists {schema}.sequences (
  partner text primary key,
  sequence bigint not null
) with (fillfactor = 50);
create table if not exists {schema}.deliveries (
  id text primary key,
  endpoint_id text not null,
  position bigint not null,
  partner text not null,
  event_id text not null,
  type text not null,
  sequence bigint not null,
  status text not null,
  attempts text not null,
  next_attempt_at bigint,
  body text,
  created_at bigint not null
);
alter table {schema}.deliveries add column if not exists tries int not null default 0;
alter table {schema}.deliveries add column if not exists replay text;
create index if not exists deliveries_endpoint on {schema}.deliveries (endpoint_id, position);
create index if not exists deliveries_due on {schema}.deliveries (endpoint_id, next_attempt_at) where status = 'pending';
create index if not exists deliveries_status on {schema}.deliveries (endpoint_id, status, position) where status <> 'delivered';
create index if not exists deliveries_event on {schema}.deliveries (event_id);
`;

export type DeliveryStatus = "pending" | "delivered" | "failed" | "discarded";
export const deliveryStatuses: readonly DeliveryStatus[] = [
  "pending",
  "delivered",
  "failed",
  "discarded",
];

/** What an attempt took its time for, in ms. Without a new connection there is only the last; of what it did not get to there is nothing. */
export type Timing = {
  /** For a connection that was being opened for another request. */
  waited_ms?: number;
  dns_ms?: number;
  connect_ms?: number;
  tls_ms?: number;
  /** From the request to the first byte of its answer. */
  first_byte_ms?: number;
};

export type DeliveryAttempt = {
  readonly at: string;
  readonly status_code?: number;
  readonly error?: string;
  readonly duration_ms: number;
  readonly timing?: Timing;
  readonly response_excerpt?: string;
  /** The replay this attempt was part of. */
  readonly replay_id?: string;
  /** The `webhook-id` of its request, where that was a batch. */
  readonly batch_id?: string;
};

/** One delivery as the API shows it; `position` is what a cursor is made of. */
export type Delivery = {
  readonly id: string;
  readonly endpoint_id: string;
  readonly event_id: string;
  readonly type: string;
  readonly status: DeliveryStatus;
  readonly attempts: readonly DeliveryAttempt[];
  readonly next_attempt_at?: string;
  readonly created_at: string;
  readonly position: string;
};

/** The partner's endpoints, oldest first, without the deleted ones. */
export async function listEndpoints(pool: pg.Pool, partner: string): Promise<readonly Endpoint[]> {
  const { rows } = await pool.query<{ state: string }>({
    name: "webhooks_endpoints",
    text: "select state from webhooks.endpoints where partner = $1 and status <> 'deleted' order by created_position",
    values: [partner],
  });
  return rows.map((row) => JSON.parse(row.state) as Endpoint);
}

/** The next ids behind one, of endpoints that were not deleted. None where the service has not run yet. */
export async function endpointIds(pool: pg.Pool, after: string): Promise<readonly string[]> {
  if (!(await isThere(pool))) return [];
  const { rows } = await pool.query<{ id: string }>(
    "select id from webhooks.endpoints where id > $1 and status <> 'deleted' order by id limit 500",
    [after],
  );
  return rows.map(({ id }) => id);
}

/** The position up to which every endpoint is on record. */
export async function foldedUpTo(pool: pg.Pool): Promise<bigint> {
  if (!(await isThere(pool))) return 0n;
  const { rows } = await pool.query<{ position: string | null }>(
    "select min(position)::text as position from webhooks.checkpoint",
  );
  return BigInt(rows[0]?.position ?? "0");
}

async function isThere(pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query(
    "select to_regclass('webhooks.endpoints') is not null and to_regclass('webhooks.checkpoint') is not null as there",
  );
  return rows[0].there === true;
}

type DeliveryRow = {
  id: string;
  endpoint_id: string;
  event_id: string;
  type: string;
  status: DeliveryStatus;
  attempts: string;
  next_attempt_at: number | null;
  created_at: number;
  position: string;
};

const columns = `id, endpoint_id, event_id, type, status, attempts, next_attempt_at::float8, created_at::float8, position::text`;

function shown(row: DeliveryRow): Delivery {
  return {
    id: row.id,
    endpoint_id: row.endpoint_id,
    event_id: row.event_id,
    type: row.type,
    status: row.status,
    attempts: JSON.parse(row.attempts) as DeliveryAttempt[],
    ...(row.next_attempt_at === null
      ? {}
      : { next_attempt_at: new Date(row.next_attempt_at).toISOString() }),
    created_at: new Date(row.created_at).toISOString(),
    position: row.position,
  };
}

export type DeliveryQuery = {
  readonly partner: string;
  readonly endpointId: string;
  readonly limit: number;
  readonly status?: DeliveryStatus;
  /** Older than this position (a `position` of an earlier answer). */
  readonly before?: string;
  /** Newer than this position; the answer is still newest first. */
  readonly after?: string;
};

/** An endpoint's deliveries, newest event first. */
export async function listDeliveries(
  pool: pg.Pool,
  query: DeliveryQuery,
): Promise<readonly Delivery[]> {
  const backwards = query.after !== undefined;
  // A literal status lets the partial index on unusual ones be used.
  const status =
    query.status === undefined
      ? ""
      : `and status = '${deliveryStatuses.find((known) => known === query.status) ?? "none"}'`;
  const { rows } = await pool.query<DeliveryRow>({
    name: `webhooks_deliveries_${query.status ?? "all"}_${backwards}`,
    text: `select ${columns} from webhooks.deliveries
      where endpoint_id = $1 and partner = $2 ${status} and ($3::bigint is null or position ${backwards ? ">" : "<"} $3)
      order by deliveries.position ${backwards ? "" : "desc"} limit $4`,
    values: [query.endpointId, query.partner, query.after ?? query.before ?? null, query.limit],
  });
  const deliveries = rows.map(shown);
  return backwards ? deliveries.reverse() : deliveries;
}

export type EventDeliveryQuery = {
  readonly partner: string;
  /** Public ids; an event was delivered to several endpoints. */
  readonly eventIds: readonly string[];
  readonly limit: number;
  readonly status?: DeliveryStatus;
  /** Behind this key in the list, or before it: `deliveryKey` of a row. */
  readonly after?: string;
  readonly before?: string;
};

/** Where a delivery stands among those of several endpoints. */
export const deliveryKey = ({ position, id }: Pick<Delivery, "position" | "id">): string =>
  `${position} ${id}`;

/** What was delivered of some events, to whatever endpoint, newest event first. */
export async function listEventDeliveries(
  pool: pg.Pool,
  query: EventDeliveryQuery,
): Promise<readonly Delivery[]> {
  const backwards = query.before !== undefined;
  const [position, id] = (query.before ?? query.after)?.split(" ") ?? [null, null];
  const { rows } = await pool.query<DeliveryRow>({
    name: `webhooks_event_deliveries_${backwards}`,
    text: `select ${columns} from webhooks.deliveries
      where event_id = any($1) and partner = $2 and ($3::text is null or status = $3)
        and ($4::bigint is null or (position, id) ${backwards ? ">" : "<"} ($4, $5))
      order by webhooks.deliveries.position ${backwards ? "" : "desc"}, id ${backwards ? "" : "desc"} limit $6`,
    values: [query.eventIds, query.partner, query.status ?? null, position, id, query.limit],
  });
  const deliveries = rows.map(shown);
  return backwards ? deliveries.reverse() : deliveries;
}

/** One delivery of the partner. */
export async function readDelivery(
  pool: pg.Pool,
  partner: string,
  id: string,
): Promise<Delivery | undefined> {
  const { rows } = await pool.query<DeliveryRow>({
    name: "webhooks_delivery",
    text: `select ${columns} from webhooks.deliveries where id = $2 and partner = $1`,
    values: [partner, id],
  });
  return rows[0] && shown(rows[0]);
}

export type DeliveryRequest = {
  readonly sequence: number;
  readonly body: string | null;
  readonly traceparent: string | null;
};

/** What the request of a delivery was made of; `body` only while it is pending, later it is built again from the event at the delivery's position. */
export async function readDeliveryRequest(
  pool: pg.Pool,
  partner: string,
  id: string,
): Promise<DeliveryRequest | undefined> {
  const { rows } = await pool.query<DeliveryRequest>({
    name: "webhooks_delivery_request",
    text: "select sequence::float8 as sequence, body, traceparent from webhooks.deliveries where id = $2 and partner = $1",
    values: [partner, id],
  });
  return rows[0];
}
