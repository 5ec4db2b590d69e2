import { quoteSchema } from "@heliograph/runtime";
import type pg from "pg";

/**
 * By what a provider calls a message, which it is. Kept for as long as messages are: a receipt may come weeks later, and history may be read again. `owner` is the name under which the
 * recipient's data is erased.
 */
export const providerIdsDdl = `
create table if not exists {schema}.provider_ids (
  gateway text not null,
  key text not null,
  message_id text not null,
  provider_message_id text not null,
  partner text not null,
  owner text not null,
  primary key (gateway, key, message_id)
);
`;

export type ProviderId = {
  readonly gateway: string;
  readonly key: string;
  readonly message_id: string;
  /** As the provider answered with it. */
  readonly provider_message_id: string;
  readonly partner: string;
  readonly owner: string;
};

export async function addProviderIds(
  pool: pg.Pool,
  schema: string,
  rows: readonly ProviderId[],
): Promise<void> {
  if (rows.length === 0) return;
  await pool.query({
    name: `provider_ids.add.${schema}`,
    text: `insert into ${quoteSchema(schema)}.provider_ids (gateway, key, message_id, provider_message_id, partner, owner)
      select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) on conflict do nothing`,
    values: [
      rows.map(({ gateway }) => gateway),
      rows.map(({ key }) => key),
      rows.map(({ message_id }) => message_id),
      rows.map(({ provider_message_id }) => provider_message_id),
      rows.map(({ partner }) => partner),
      rows.map(({ owner }) => owner),
    ],
  });
}

/** Every message that one of the keys stands for. */
export async function findProviderIds(
  pool: pg.Pool,
  schema: string,
  wanted: readonly Pick<ProviderId, "gateway" | "key">[],
): Promise<readonly ProviderId[]> {
  if (wanted.length === 0) return [];
  const { rows } = await pool.query<ProviderId>({
    name: `provider_ids.find.${schema}`,
    text: `select p.gateway, p.key, p.message_id, p.provider_message_id, p.partner, p.owner
      from unnest($1::text[], $2::text[]) as w(gateway, key)
      join ${quoteSchema(schema)}.provider_ids p on p.gateway = w.gateway and p.key = w.key`,
    values: [wanted.map(({ gateway }) => gateway), wanted.map(({ key }) => key)],
  });
  return rows;
}
