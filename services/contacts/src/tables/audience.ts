import type { Channel } from "@heliograph/contracts";
import type pg from "pg";
import { termsOf } from "../search.ts";
import { type ContactQuery, type Value, compared, placed, termed } from "./contacts.ts";

/** Which contacts a message to many is for: those that meet all that is given. */
export type Audience = {
  readonly tag?: string | undefined;
  readonly attribute?: Readonly<Record<string, string | number | boolean>> | undefined;
  readonly contact_ids?: readonly string[] | undefined;
};
export type Member = { readonly id: string; readonly position: string };

/** Contacts of an audience in the order in which they were made, behind one position and up to another. */
export async function readAudience(
  pool: pg.Pool,
  asked: {
    readonly partner: string;
    readonly audience: Audience;
    readonly after: bigint;
    readonly upTo: bigint;
    readonly limit: number;
  },
): Promise<readonly Member[]> {
  const { partner, audience, limit } = asked;
  const { tag, contact_ids } = audience;
  const attributes = Object.entries(audience.attribute ?? {}).map(
    ([key, value]) => [key, String(value)] as const,
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
      ...attributes.map(([key, value]) => terms.attribute(key, value)),
      ...(tag === undefined ? [] : [terms.tag(tag)]),
    ],
  };
  const values: unknown[] = [];
  const value: Value = (given) => `$${values.push(given)}`;
  const where = [
    ...placed(query, value),
    `position <= ${value(String(asked.upTo))}::bigint`,
    ...(contact_ids === undefined ? [] : [`id = any(${value(contact_ids)}::text[])`]),
    ...termed(query, value),
    ...compared(query, value),
  ].join(" and ");
  const { rows } = await pool.query<Member>(
    `select c.id, c.position::text from contacts.contacts c where ${where} order by c.position limit ${value(limit)}`,
    values,
  );
  return rows;
}

/** Where a contact is reached on a channel. */
export type Reached = {
  readonly id: string;
  /** The contact that it is part of; itself where it is not merged. */
  readonly root: string;
  readonly erased: boolean;
  /** The address that it was given last; null where it has none. */
  readonly to: string | null;
};

/** The partner's contacts among these, with their addresses on a channel. */
export async function readAddresses(
  pool: pg.Pool,
  partner: string,
  channel: Channel,
  ids: readonly string[],
): Promise<readonly Reached[]> {
  const { rows } = await pool.query<Reached>({
    name: "contacts_addresses",
    text: `select c.id, c.root, c.erased, x.id as to from contacts.contacts c
      left join lateral (
        select a.id from jsonb_to_recordset(c.external_ids::jsonb) as a(source text, id text, added_at text)
        where a.source = $3 order by a.added_at desc limit 1) x on true
      where c.id = any($1::text[]) and c.partner = $2`,
    values: [ids, partner, channel],
  });
  return rows;
}
