import { inTransaction } from "@heliograph/runtime";
import type pg from "pg";
import type { Quota } from "./attachments.ts";

type Row = {
  readonly id: string;
  readonly status: "ready" | "removed";
  readonly partner: string;
  readonly account: string;
  readonly charged: number;
};
type Owner = { readonly partner: string; readonly contact: string };

/**
 * Gives files of a message to the partner and the contact whose it turned out to be, with what they take of a quota. What finds no room in it is removed; gives the ids of those, and of what was removed before.
 * Of what the partner has stored itself the contact alone is new.
 */
export const adoptAttachments = (
  pool: pg.Pool,
  { partner, contact }: Owner,
  ids: readonly string[],
  quota: Quota,
): Promise<readonly string[]> =>
  inTransaction(pool, async (client) => {
    const { rows } = await client.query<Row>(
      `select id, status, partner, coalesce(account, partner) as account, charged::float8 as charged from mobile_attachments.attachments
        where id = any($1) and status <> 'pending' and (received_at is not null or partner = $2) order by id for update`,
      [ids, partner],
    );
    const ready = rows.filter(({ status }) => status === "ready");
    const moved = ready.filter(({ account }) => account !== partner);
    let free = moved.length === 0 ? 0 : await roomOf(client, partner, quota);
    const refused = new Set<string>();
    for (const { id, charged } of moved) {
      if (charged > free) refused.add(id);
      else free -= charged;
    }
    const taken = moved.filter(({ id }) => !refused.has(id));
    for (const [account, all] of Map.groupBy(taken, (each) => each.account))
      await charge(client, account, -sumOf(all));
    if (taken.length > 0) await charge(client, partner, sumOf(taken));
    await client.query(
      `update mobile_attachments.attachments set partner = $2, account = case when id = any($4) then coalesce(account, partner) end, contact_id = coalesce(contact_id, $3),
          status = case when id = any($4) then 'removed' else status end, changed_at = case when id = any($4) then clock_timestamp() else changed_at end
        where id = any($1)`,
      [ready.map(({ id }) => id), partner, contact, [...refused]],
    );
    return rows.flatMap(({ id, status }) => (status === "removed" || refused.has(id) ? [id] : []));
  });

const sumOf = (rows: readonly Row[]): number => rows.reduce((sum, { charged }) => sum + charged, 0);

/** What a partner has room for of what came from outside, for nobody else to take meanwhile. */
async function roomOf(client: pg.PoolClient, partner: string, quota: Quota): Promise<number> {
  const { rows } = await client.query<Quota>(
    `insert into mobile_attachments.usage as u (partner, bytes) values ($1, 0)
      on conflict (partner) do update set bytes = u.bytes returning bytes::float8 as bytes, received::float8 as received`,
    [partner],
  );
  const { bytes, received } = rows[0]!;
  return Math.min(quota.bytes - bytes, quota.received - received);
}

const charge = (client: pg.PoolClient, account: string, bytes: number): Promise<unknown> =>
  client.query("update mobile_attachments.usage set bytes = bytes + $2 where partner = $1", [
    account,
    bytes,
  ]);
