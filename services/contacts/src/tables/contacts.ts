import type { WritePart } from "@heliograph/runtime";
import type pg from "pg";
import type { Folded } from "../fold-rows.ts";
import type { ListedProfile } from "../listed-profile.ts";

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
export type ContactRow = ListedProfile & {
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

/**
 * So many contacts are looked through in order before the index of terms is asked. What many have is found among them; the index would give all those many, to be sorted
 * for one page, and the planner cannot tell, since it takes the parts of one word for independent of each other.
 */
const nearest = 2_000;
/** Where those gave nearly half of a page, so many are likely to give a whole one: of a tag that one in a hundred has the index gives 10,000 of a million to be sorted, which takes 100 ms, and 3,000 in order hold a page. */
const further = 4 * nearest;
/** How much of a page that is, with a half to spare. */
const nearlyHalf = (1.5 * nearest) / further;

/** A statement of a list, worth its while where the one before found at least so many. */
export type ListStatement = {
  readonly text: string;
  readonly values: readonly unknown[];
  readonly least: number;
};

/**
 * The statements of a list: the first one that fills the page counts. Only conditions that are asked for stand in them, and they have no names: the planner sees the values,
 * and so how rare they are.
 */
export function contactsStatements(query: ContactQuery): readonly ListStatement[] {
  const order = `order by c.position ${query.after === undefined ? "desc" : ""}`;
  const columns =
    "c.position::text, c.id, c.name, c.profile, c.external_ids, c.created_at, c.updated_at";
  const limited = (least: number, makeText: (value: Value, limit: string) => string) => {
    const values: unknown[] = [];
    const value: Value = (given) => `$${values.push(given)}`;
    return { text: makeText(value, `limit ${value(query.limit)}`), values, least };
  };
  const whole = limited(0, (value, limit) => {
    const where = [...placed(query, value), ...termed(query, value), ...compared(query, value)];
    return `select ${columns} from contacts.contacts c where ${where.join(" and ")} ${order} ${limit}`;
  });
  if (termed(query, () => "").length === 0) return [whole];
  const among = (count: number, least: number) =>
    limited(least, (value, limit) => {
      const rows = `select * from contacts.contacts c where ${placed(query, value).join(" and ")} ${order} limit ${count}`;
      // The terms first: they are compared faster than texts are read.
      const where = [...termed(query, value), ...compared(query, value)].join(" and ");
      return `select ${columns} from (${rows}) c where ${where} ${order} ${limit}`;
    });
  return [among(nearest, 0), among(further, Math.ceil(query.limit * nearlyHalf)), whole];
}

export type Value = (given: unknown) => string;

/** Whose contacts, and on which side of the cursor. */
export const placed = (query: ContactQuery, value: Value): readonly string[] => [
  `partner = ${value(query.partner)}`,
  "merged_into is null",
  "not erased",
  ...(query.after === undefined ? [] : [`position > ${value(query.after)}::bigint`]),
  ...(query.before === undefined ? [] : [`position < ${value(query.before)}::bigint`]),
];

/** What the index of terms finds. */
export const termed = (query: ContactQuery, value: Value): readonly string[] => [
  ...(query.terms.length === 0 ? [] : [`terms @> ${value(`{${query.terms.join(",")}}`)}::int4[]`]),
  ...(query.anyTerms === undefined
    ? []
    : [`terms && ${value(`{${query.anyTerms.join(",")}}`)}::int4[]`]),
];

/** What is asked for, letter by letter. */
export function compared(query: ContactQuery, value: Value): readonly string[] {
  const { source, externalIds } = query;
  const held = [
    ...(externalIds === undefined ? [] : [`id = any(${value(externalIds)}::text[])`]),
    ...(source === undefined ? [] : [`source = ${value(source)}`]),
  ].join(" and ");
  return [
    ...query.words.map((word) => `strpos(search, ${value(word)}) > 0`),
    ...(held === ""
      ? []
      : [
          `exists (select from jsonb_to_recordset(external_ids::jsonb) as x(source text, id text) where ${held})`,
        ]),
    ...(query.tag === undefined ? [] : [`profile::jsonb -> 'tags' ? ${value(query.tag)}::text`]),
    ...query.attributes.map(
      ([key, given]) => `profile::jsonb #>> array['attributes', ${value(key)}] = ${value(given)}`,
    ),
    ...(query.updatedFrom === undefined ? [] : [`updated_at >= ${value(query.updatedFrom)}`]),
  ];
}

/** The partner's contacts, newest first: those before a position, or those nearest after it. */
export async function listContacts(
  pool: pg.Pool,
  query: ContactQuery,
): Promise<readonly ContactRow[]> {
  let found: readonly ContactRow[] = [];
  for (const { text, values, least } of contactsStatements(query)) {
    if (found.length < least) continue;
    const { rows } = await pool.query(text, [...values]);
    found = rows.map(({ profile, external_ids, ...rest }) => ({
      ...rest,
      ...(JSON.parse(profile) as ListedProfile),
      external_ids: JSON.parse(external_ids),
    }));
    if (found.length === query.limit) break;
  }
  return query.after === undefined ? found : found.toReversed();
}
