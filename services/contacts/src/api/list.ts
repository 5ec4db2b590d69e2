import {
  type Answer,
  type Call,
  ListQuery,
  TimeInput,
  listBody,
  notValid,
  pageOf,
  timeOf,
  unknownField,
} from "@heliograph/api";
import { z } from "zod";
import { queryWords, termsOf } from "../search.ts";
import { spellings } from "../spelling.ts";
import { type ContactQuery, type ContactRow, listContacts } from "../tables/contacts.ts";

/** A person types a name or an address; more words than this are a text. */
const maxWords = 10;

export const ContactsQuery = ListQuery.extend({
  q: z.string().max(200).optional().meta({
    description:
      "Parts of names and addresses, all of which must be found; case, accents and the separators of numbers are ignored.",
  }),
  source: z.string().min(1).max(64).optional(),
  external_id: z.string().min(1).max(320).optional(),
  tag: z.string().min(1).max(64).optional(),
  updated_from: TimeInput.optional().meta({ description: "Inclusive." }),
})
  .catchall(z.string().max(1_000))
  .meta({ description: "`attribute[key]=value` filters by an attribute." });
export type ContactsQuery = z.infer<typeof ContactsQuery>;

/** What of a query the index finds and the rows are compared with. Throws `invalid_request`. */
export function filterOf(partner: string, query: ContactsQuery) {
  const terms = termsOf(partner);
  const attributes: [string, string][] = [];
  for (const [name, value] of Object.entries(query)) {
    if (Object.hasOwn(ContactsQuery.shape, name)) continue;
    const key = /^attribute(?:\[([^\]]{1,64})\]|\.(.{1,64}))$/.exec(name);
    if (key === null) throw notValid("query", [unknownField(name)]);
    attributes.push([(key[1] ?? key[2])!, String(value)]);
  }
  const words = query.q === undefined ? [] : wordsOf(query.q);
  const externalIds =
    query.external_id === undefined ? undefined : spellings(query.external_id, query.source);
  const updatedFrom = timeOf(query.updated_from);
  const idTerm = (id: string): number =>
    query.source === undefined ? terms.externalId(id) : terms.sourced(query.source, id);
  return {
    words,
    source: query.source,
    externalIds,
    tag: query.tag,
    attributes,
    updatedFrom: updatedFrom === undefined ? undefined : new Date(updatedFrom).toISOString(),
    terms: [
      ...words.flatMap(terms.word),
      ...attributes.map(([key, value]) => terms.attribute(key, value)),
      ...(query.tag === undefined ? [] : [terms.tag(query.tag)]),
      ...(query.source !== undefined && externalIds === undefined
        ? [terms.source(query.source)]
        : []),
    ],
    anyTerms: externalIds?.map(idTerm),
  } satisfies Partial<ContactQuery>;
}

function wordsOf(q: string): readonly string[] {
  const words = queryWords(q);
  const refuse = (message: string) =>
    notValid("query", [{ path: "q", code: "invalid_format", message }]);
  if (words.length === 0) throw refuse("has nothing to look for");
  if (words.length > maxWords) throw refuse(`has more than ${maxWords} words`);
  return words;
}

/** A page of the partner's contacts. */
export async function listed(call: Call<undefined, ContactsQuery>): Promise<Answer> {
  const partner = call.partner.partner_id;
  const filter = filterOf(partner, call.query);
  const page = pageOf(call, "contacts");
  // The list runs from new to old: what comes after a cursor lies before its position.
  const rows = await listContacts(call.deps.projectionPool, {
    ...filter,
    partner,
    limit: page.limit + 1,
    after: page.before,
    before: page.after,
  });
  const keyOf = (row: ContactRow): string => row.position;
  return { status: 200, body: listBody(call, "contacts", page, rows, keyOf, rowView) };
}

export const rowView = ({ position: _, ...row }: ContactRow) => ({
  id: row.id,
  external_ids: row.external_ids,
  name: row.name,
  language: row.language,
  time_zone: row.time_zone,
  attributes: row.attributes,
  tags: row.tags,
  client_ref: row.client_ref,
  created_at: row.created_at,
  updated_at: row.updated_at,
});
