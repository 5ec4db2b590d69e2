import type { Channel } from "@heliograph/contracts";
import type pg from "pg";
import type { ListedProfile } from "../listed-profile.ts";
import { type Address, reachableAt } from "../reachable.ts";
import { termsOf } from "../search.ts";
import { type ContactQuery, type Value, compared, placed, termed } from "./contacts.ts";

/** Which contacts a message to many is for: those that meet all that is given. */
export type Audience = {
  readonly tag?: string | undefined;
  readonly attribute?: Readonly<Record<string, string | number | boolean>> | undefined;
  readonly contact_ids?: readonly string[] | undefined;
};
export type Member = { readonly id: string; readonly position: string };

export type AskedAudience = {
  readonly partner: string;
  readonly audience: Audience;
  readonly after: bigint;
  readonly upTo: bigint;
  readonly limit: number;
};

/** Contacts of an audience in the order in which they were made, behind one position and up to another. */
export async function readAudience(
  pool: pg.Pool,
  asked: AskedAudience,
): Promise<readonly Member[]> {
  const values: unknown[] = [];
  const value: Value = (given) => `$${values.push(given)}`;
  const where = membersWhere(asked, value);
  const { rows } = await pool.query<Member>(
    `select c.id, c.position::text from contacts.contacts c where ${where} order by c.position limit ${value(asked.limit)}`,
    values,
  );
  return rows;
}

/** How many contacts an audience has now, `limit` at most. */
export async function countAudience(pool: pg.Pool, asked: AskedAudience): Promise<number> {
  const values: unknown[] = [];
  const value: Value = (given) => `$${values.push(given)}`;
  const where = membersWhere(asked, value);
  const { rows } = await pool.query<{ count: number }>(
    `select count(*)::int from (select from contacts.contacts c where ${where} limit ${value(asked.limit)}) found`,
    values,
  );
  return rows[0]!.count;
}

function membersWhere(asked: AskedAudience, value: Value): string {
  const { partner, audience, limit } = asked;
  const { tag, contact_ids } = audience;
  const attributes = Object.entries(audience.attribute ?? {}).map(
    ([key, given]) => [key, String(given)] as const,
  );
  const terms = termsOf(partner);
  const query: ContactQuery = {
    partner,
    limit,
    after: String(asked.after),
    words: [],
    tag,
    attributes,
    terms: [
      ...attributes.map(([key, given]) => terms.attribute(key, given)),
      ...(tag === undefined ? [] : [terms.tag(tag)]),
    ],
  };
  return [
    ...placed(query, value),
    `position <= ${value(String(asked.upTo))}::bigint`,
    ...(contact_ids === undefined ? [] : [`id = any(${value(contact_ids)}::text[])`]),
    ...termed(query, value),
    ...compared(query, value),
  ].join(" and ");
}

/** What is known of contacts of the partner, by their ids. */
export async function readFields(
  pool: pg.Pool,
  partner: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, AudienceFields>> {
  const { rows } = await pool.query<{ id: string; name: string | null; profile: string }>({
    name: "contacts_fields",
    text: "select id, name, profile from contacts.contacts where id = any($1::text[]) and partner = $2",
    values: [ids, partner],
  });
  return new Map(
    rows.map(({ id, name, profile }) => [id, { ...(JSON.parse(profile) as ListedProfile), name }]),
  );
}
export type AudienceFields = ListedProfile & { readonly name: string | null };

/** Where a contact is reached on a channel. */
export type Reached = {
  readonly id: string;
  /** The contact that it is part of; itself where it is not merged. */
  readonly root: string;
  readonly erased: boolean;
  /** Null where it has no address that anything can be sent to. */
  readonly to: string | null;
};

/** The partner's contacts among these, with their addresses on a channel. */
export async function readAddresses(
  pool: pg.Pool,
  partner: string,
  channel: Channel,
  ids: readonly string[],
): Promise<readonly Reached[]> {
  type Row = Omit<Reached, "to"> & { readonly addresses: readonly Address[] };
  const { rows } = await pool.query<Row>({
    name: "contacts_addresses",
    text: `select c.id, c.root, c.erased, x.addresses from contacts.contacts c
      cross join lateral (
        select coalesce(json_agg(json_build_object('id', a.id, 'added_at', a.added_at)), '[]') as addresses
        from jsonb_to_recordset(c.external_ids::jsonb) as a(source text, id text, added_at text) where a.source = $3) x
      where c.id = any($1::text[]) and c.partner = $2`,
    values: [ids, partner, channel],
  });
  return rows.map(({ addresses, ...rest }) => ({
    ...rest,
    to: reachableAt(channel, addresses) ?? null,
  }));
}
