import { type Answer, type Call, type Route, listOf, route } from "@heliograph/api";
import { isId } from "@heliograph/contracts";
import { z } from "zod";
import { refusalOf } from "../commands.ts";
import type { Contact } from "../contact.ts";
import { phoneVariants } from "@heliograph/channels";
import { rank } from "../duplicates.ts";
import { notFound } from "../refusals.ts";
import { queryWords, termsOf } from "../search.ts";
import { loadContact } from "../streams.ts";
import { type ContactRow, listContacts } from "../tables/contacts.ts";
import { contextOf } from "./contacts.ts";

/** Of each kind; a name that more people than this have is no reason. */
const maxCandidates = 50;
/** Addresses that are looked for; those of one person are fewer. */
const maxAddresses = 20;

const DuplicateView = z
  .object({
    contact_id: z.string(),
    score: z.number().min(0).max(1),
    reasons: z.array(z.enum(["same_address", "email_case", "phone_variant", "same_name"])),
  })
  .meta({ id: "DuplicateContact" });

async function duplicates(call: Call<undefined, undefined>): Promise<Answer> {
  const id = call.params["id"]!;
  const loaded = isId("cnt", id) ? await loadContact(contextOf(call), id) : undefined;
  const refusal = refusalOf(loaded?.contact, id);
  if (refusal !== undefined || loaded === undefined) throw refusal ?? notFound();
  const found = await candidates(call, loaded.contact);
  const data = rank(loaded.contact, found).slice(0, maxCandidates);
  return { status: 200, body: { data, next_cursor: null, next_after: null, prev_cursor: null } };
}

async function candidates(
  call: Call<undefined, undefined>,
  { external_ids, fields }: Contact,
): Promise<readonly ContactRow[]> {
  const partner = call.partner.partner_id;
  const terms = termsOf(partner);
  const addresses = external_ids.slice(0, maxAddresses);
  const ids = [...new Set(addresses.flatMap(({ id }) => [id, ...phoneVariants(id)]))];
  const emails = addresses.filter(({ source }) => source === "email").map(({ id }) => id);
  const texts = [...emails, ...(fields.name === null ? [] : [fields.name])];
  const base = { partner, limit: maxCandidates, terms: [], words: [], attributes: [] };
  const pool = call.deps.projectionPool;
  const found = [
    ...(ids.length === 0
      ? []
      : [listContacts(pool, { ...base, externalIds: ids, anyTerms: ids.map(terms.externalId) })]),
    ...texts.map((text) => {
      const words = queryWords(text);
      return listContacts(pool, { ...base, words, terms: words.flatMap(terms.word) });
    }),
  ];
  return (await Promise.all(found)).flat();
}

export const duplicateRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/contacts/:id/duplicates",
    scope: "contacts:read",
    summary: "List contacts that may be the same person, the likeliest first",
    projection: "contacts",
    response: listOf(DuplicateView, "DuplicateContactList"),
    errors: ["not_found", "contact_merged", "contact_erased"],
    handler: duplicates,
  }),
];
