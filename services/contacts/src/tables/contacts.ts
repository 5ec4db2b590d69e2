import type { WritePart } from "@heliograph/runtime";
import type pg from "pg";
import type { Folded } from "../fold-rows.ts";
import type { Profile } from "../listed-profile.ts";

/**
 * Contacts for lists, search and export. What is personal stands here as it is read, because it is searched, and is gone with the contact's erasure. `terms` are numbers of
 * all that a contact is found by (see `search.ts`): one index for every filter and any number of them at once, on every server.
 */
export const contactsDdl = `
create table if not exists {schema}.contacts (
  id text primary key,
  partner text not null,
  position bigint not null,
  name text,
  profile text not null, -- JSON
  own_ids text not null, -- JSON: those that this contact itself was given
  external_ids text not null, -- JSON: those that lead to it, also by way of contacts that are merged into it
  search text not null,
  terms int4[] not null,
  merged_into text,
  root text not null, -- the contact that it is part of; itself where it is not merged
  erased boolean not null,
  created_at text not null,
  updated_at text not null
) with (fillfactor = 70);
create index if not exists contacts_partner on {schema}.contacts (partner, position) where merged_into is null and not erased;
create index if not exists contacts_updated on {schema}.contacts (partner, updated_at) where merged_into is null and not erased;
create index if not exists contacts_merged on {schema}.contacts (root) where merged_into is not null;
create index if not exists contacts_terms on {schema}.contacts using gin (terms) where merged_into is null and not erased;
`;

type Stored = {
  readonly id: string;
  readonly partner: string;
  readonly position: string;
  readonly name: string | null;
  readonly profile: string;
  readonly own_ids: string;
  readonly merged_into: string | null;
  readonly erased: boolean;
  readonly created_at: string;
  readonly updated_at: string;
};

/** The rows of contacts and of all that are merged with them. */
export async function readFamilies(
  pool: pg.Pool,
  schema: string,
  ids: readonly string[],
): Promise<readonly Folded[]> {
  const table = `"${schema}".contacts`;
  const { rows } = await pool.query<Stored>({
    name: `contacts_families ${schema}`,
    text: `with roots as (select root from ${table} where id = any($1::text[]))
      select id, partner, position::text, name, profile, own_ids, merged_into, erased, created_at, updated_at from ${table}
      where id = any($1::text[]) or id in (select root from roots)
      union
      select id, partner, position::text, name, profile, own_ids, merged_into, erased, created_at, updated_at from ${table}
      where merged_into is not null and root in (select root from roots)`,
    values: [ids],
  });
  return rows.map((row) => ({
    id: row.id,
    partner: row.partner,
    position: row.position,
    name: row.name,
    profile: JSON.parse(row.profile),
    own: JSON.parse(row.own_ids),
    mergedInto: row.merged_into,
    erased: row.erased,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }));
}

/** A row as it is written: with what follows from those of its family. */
export type Written = Folded & {
  readonly root: string;
  readonly externalIds: readonly ListedId[];
  readonly search: string;
  readonly terms: readonly number[];
};
export type ListedId = { readonly source: string; readonly id: string; readonly added_at: string };

export function upsertContacts(rows: readonly Written[]): readonly WritePart[] {
  if (rows.length === 0) return [];
  const column = <Value>(of: (row: Written) => Value): Value[] => rows.map(of);
  return [
    {
      name: "contacts_upsert",
      sql: `insert into {schema}.contacts as c (id, partner, position, name, profile, own_ids, external_ids, search, terms, merged_into, root, erased, created_at, updated_at)
        select id, partner, position, name, profile, own_ids, external_ids, search, terms::int4[], merged_into, root, erased, created_at, updated_at
        from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::boolean[], $13::text[], $14::text[])
          as n(id, partner, position, name, profile, own_ids, external_ids, search, terms, merged_into, root, erased, created_at, updated_at)
        on conflict (id) do update set name = excluded.name, profile = excluded.profile, own_ids = excluded.own_ids, external_ids = excluded.external_ids, search = excluded.search,
          terms = excluded.terms, merged_into = excluded.merged_into, root = excluded.root, erased = excluded.erased, updated_at = excluded.updated_at`,
      values: [
        column(({ id }) => id),
        column(({ partner }) => partner),
        column(({ position }) => position),
        column(({ name }) => name),
        column(({ profile }) => JSON.stringify(profile)),
        column(({ own }) => JSON.stringify(own)),
        column(({ externalIds }) => JSON.stringify(externalIds)),
        column(({ search }) => search),
        column(({ terms }) => `{${terms.join(",")}}`),
        column(({ mergedInto }) => mergedInto),
        column(({ root }) => root),
        column(({ erased }) => erased),
        column(({ createdAt }) => createdAt),
        column(({ updatedAt }) => updatedAt),
      ],
    },
  ];
}

/** A contact of a list. `position` is what a cursor is made of. */
export type ContactRow = Profile & {
  readonly position: string;
  readonly id: string;
  readonly external_ids: readonly ListedId[];
  readonly name: string | null;
  readonly created_at: string;
  readonly updated_at: string;
};

export type ContactQuery = {
  readonly partner: string;
  readonly limit: number;
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  /** What the index is asked for: numbers of the terms of all the filters below. */
  readonly terms: readonly number[];
  /** One of these must be there too. */
  readonly anyTerms?: readonly number[] | undefined;
  readonly words: readonly string[];
  readonly source?: string | undefined;
  readonly externalIds?: readonly string[] | undefined;
  readonly tag?: string | undefined;
  readonly attributes: readonly (readonly [key: string, value: string])[];
  readonly updatedFrom?: string | undefined;
};

/** The statement of a list. Only the conditions that are asked for stand in it, and it has no name: the planner sees the values, and so how rare they are. */
export function contactsStatement(query: ContactQuery): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const value = (given: unknown): string => `$${values.push(given)}`;
  const backwards = query.after !== undefined;
  const where = [`partner = ${value(query.partner)}`, "merged_into is null", "not erased"];
  if (query.after !== undefined) where.push(`position > ${value(query.after)}::bigint`);
  if (query.before !== undefined) where.push(`position < ${value(query.before)}::bigint`);
  if (query.terms.length > 0) where.push(`terms @> ${value(`{${query.terms.join(",")}}`)}::int4[]`);
  if (query.anyTerms !== undefined)
    where.push(`terms && ${value(`{${query.anyTerms.join(",")}}`)}::int4[]`);
  for (const word of query.words) where.push(`strpos(search, ${value(word)}) > 0`);
  const held = (condition: string): string =>
    `exists (select from jsonb_to_recordset(external_ids::jsonb) as x(source text, id text) where ${condition})`;
  if (query.externalIds !== undefined) {
    const same = `id = any(${value(query.externalIds)}::text[])`;
    where.push(
      held(query.source === undefined ? same : `${same} and source = ${value(query.source)}`),
    );
  } else if (query.source !== undefined) where.push(held(`source = ${value(query.source)}`));
  if (query.tag !== undefined) where.push(`profile::jsonb -> 'tags' ? ${value(query.tag)}::text`);
  for (const [key, given] of query.attributes)
    where.push(`profile::jsonb #>> array['attributes', ${value(key)}] = ${value(given)}`);
  if (query.updatedFrom !== undefined) where.push(`updated_at >= ${value(query.updatedFrom)}`);
  const text = `select position::text, id, name, profile, external_ids, created_at, updated_at from contacts.contacts c
    where ${where.join(" and ")} order by c.position ${backwards ? "" : "desc"} limit ${value(query.limit)}`;
  return { text, values };
}

/** The partner's contacts, newest first: those before a position, or those nearest after it. */
export async function listContacts(
  pool: pg.Pool,
  query: ContactQuery,
): Promise<readonly ContactRow[]> {
  const { rows } = await pool.query(contactsStatement(query));
  const found = rows.map(({ profile, external_ids, ...rest }): ContactRow => ({
    ...rest,
    ...(JSON.parse(profile) as Profile),
    external_ids: JSON.parse(external_ids),
  }));
  return query.after === undefined ? found : found.reverse();
}
