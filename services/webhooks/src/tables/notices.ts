import type { EndpointNotice } from "@heliograph/domain";
import type pg from "pg";

/** What an owner is told by mail; enabling one again, the owner did. */
export type Notice = {
  readonly eventId: string;
  readonly partner: string;
  readonly event: Exclude<EndpointNotice, { readonly type: "WebhookEndpointEnabled" }>;
};

export async function takeNotices(pool: pg.Pool, limit: number): Promise<readonly Notice[]> {
  const { rows } = await pool.query<{ event_id: string; partner: string; event: string }>({
    name: "webhooks_notices",
    text: "select event_id, partner, event from webhooks.notices order by event_id limit $1",
    values: [limit],
  });
  return rows.map(({ event_id, partner, event }) => ({
    eventId: event_id,
    partner,
    event: JSON.parse(event) as Notice["event"],
  }));
}

export async function dropNotice(pool: pg.Pool, eventId: string): Promise<void> {
  await pool.query({
    name: "webhooks_drop_notice",
    text: "delete from webhooks.notices where event_id = $1",
    values: [eventId],
  });
}
