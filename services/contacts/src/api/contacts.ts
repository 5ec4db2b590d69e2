import { type Answer, type Call, type Route, etagOf, requireMatch, route } from "@heliograph/api";
import { z } from "zod";
import {
  type Check,
  type Commanded,
  addExternalId,
  createContact,
  findByExternalId,
  removeExternalId,
  updateContact,
  upsertByExternalId,
} from "../commands.ts";
import { contactView, ownersOf } from "../contact.ts";
import { ContactInput, ContactPatch, ExternalIdInput } from "../fields.ts";
import { erased, goneError, notFound } from "../refusals.ts";
import { type ContactsContext, type Loaded, loadContact, survivorOf } from "../streams.ts";
import { ContactView, ExternalIdView, MergedContactView } from "./schema.ts";
import { named } from "../claims.ts";
import { normalExternalId } from "@heliograph/channels";

/** The commands' context of a request. */
export const contextOf = (call: Call<unknown, unknown>): ContactsContext => ({
  log: call.deps.log,
  vault: call.deps.vault,
  logger: call.context.logger,
  partner: call.partner.partner_id,
  metadata: () => call.metadata(),
  eventId: (name) => call.eventId(name),
});

/** `If-Match` against the revision that is changed. */
const matching =
  (call: Call<unknown, unknown>): Check =>
  (revision) =>
    requireMatch(call, revision === undefined ? undefined : etagOf(revision));

const seen = ({ contact, revision }: Loaded): Answer => ({
  status: 200,
  body: contactView(contact),
  etag: etagOf(revision),
});
function changed(
  call: Call<unknown, unknown>,
  status: number,
  { contact, revision, position }: Loaded,
): Answer {
  call.concerns(...ownersOf(contact));
  return { status, body: contactView(contact), etag: etagOf(revision), position };
}
/** Throws the refusal. */
function done(commanded: Commanded): Extract<Commanded, { readonly contact: unknown }> {
  if (commanded.kind === "refused") throw commanded.error;
  return commanded;
}

async function create(call: Call<z.infer<typeof ContactInput>>): Promise<Answer> {
  const made = { made_by: "api" } as const;
  const context = contextOf(call);
  return changed(
    call,
    201,
    done(await createContact(context, call.body, made, call.derivedId("cnt"))),
  );
}

async function upsert(call: Call<z.infer<typeof ContactInput>>): Promise<Answer> {
  const upserted = done(
    await upsertByExternalId(
      contextOf(call),
      pathId(call),
      call.body,
      { made_by: "api" },
      matching(call),
    ),
  );
  return changed(call, upserted.kind === "created" ? 201 : 200, upserted);
}

const pathId = (call: Call<unknown, unknown>) => ({
  source: call.params["source"]!,
  id: call.params["external_id"]!,
});

async function byExternalId(call: Call<undefined>): Promise<Answer> {
  const found = await findByExternalId(contextOf(call), pathId(call));
  if (found === undefined) throw notFound();
  return seen(found);
}

/** It was erased, or what it is part of. */
async function isGone(context: ContactsContext, id: string): Promise<boolean> {
  const loaded = await loadContact(context, id);
  if (loaded === undefined) return false;
  const survivor = await survivorOf(context, id);
  return erased(loaded.contact) || survivor === undefined || erased(survivor.contact);
}

/** A merged contact is shown as what it is part of, an erased one not at all. */
async function get(call: Call<undefined>): Promise<Answer> {
  const id = call.params["id"]!;
  // What was erased since was not there before either.
  const now = { ...contextOf(call), log: call.present.log };
  if (now.log !== call.deps.log && (await isGone(now, id))) throw goneError();
  const context = contextOf(call);
  const loaded = await loadContact(context, id);
  if (loaded === undefined) throw notFound();
  if (erased(loaded.contact)) throw goneError();
  if (loaded.contact.merged === undefined) return seen(loaded);
  const survivor = await survivorOf(context, id);
  if (survivor === undefined || erased(survivor.contact)) throw goneError();
  const into = survivor.contact.contact_id;
  const etag = etagOf(loaded.revision, into);
  return { status: 200, body: { id, merged_into: into }, etag };
}

async function patch(call: Call<z.infer<typeof ContactPatch>>): Promise<Answer> {
  const id = call.params["id"]!;
  return changed(
    call,
    200,
    done(await updateContact(contextOf(call), id, call.body, matching(call))),
  );
}

async function addId(call: Call<z.infer<typeof ExternalIdInput>>): Promise<Answer> {
  const context = contextOf(call);
  const { contact, position } = done(await addExternalId(context, call.params["id"]!, call.body));
  const read = normalExternalId(call.body.source, call.body.id);
  const name = read.kind === "read" ? named(context, read.value).name : "";
  call.concerns(...ownersOf(contact));
  const { source, id, added_at } = contact.external_ids.find((each) => each.name === name)!;
  return { status: 201, body: { source, id, added_at }, position };
}

async function removeId(call: Call<undefined>): Promise<Answer> {
  const removed = done(
    await removeExternalId(contextOf(call), call.params["id"]!, pathId(call), matching(call)),
  );
  call.concerns(...ownersOf(removed.contact));
  return { status: 204, position: removed.position };
}

const changeErrors = [
  "invalid_request",
  "malformed_json",
  "conflict",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "log_unavailable",
] as const;
const ofOne = ["not_found", "contact_erased"] as const;

export const contactRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/contacts",
    scope: "contacts:write",
    summary: "Create a contact",
    mutates: true,
    etag: true,
    status: 201,
    body: ContactInput,
    response: ContactView,
    errors: ["external_id_taken", "contact_erased", ...changeErrors],
    handler: create,
  }),
  route({
    method: "GET",
    path: "/contacts/by-external-id/:source/:external_id",
    folded: true,
    scope: "contacts:read",
    summary: "Get the contact that has an external id now",
    etag: true,
    response: ContactView,
    errors: ["not_found"],
    handler: byExternalId,
  }),
  route({
    method: "PUT",
    path: "/contacts/by-external-id/:source/:external_id",
    scope: "contacts:write",
    summary: "Create or update the contact that has an external id; what is left out stays",
    mutates: true,
    etag: true,
    body: ContactInput,
    response: ContactView,
    also: { 201: { description: "Created.", response: ContactView } },
    errors: ["external_id_taken", "contact_erased", ...changeErrors],
    handler: upsert,
  }),
  route({
    method: "GET",
    path: "/contacts/:id",
    folded: true,
    scope: "contacts:read",
    summary:
      "Get a contact, or what a merged one is part of; now or as of an earlier position or time",
    asOf: true,
    etag: true,
    response: z.union([ContactView, MergedContactView]),
    errors: ofOne,
    handler: get,
  }),
  route({
    method: "PATCH",
    path: "/contacts/:id",
    scope: "contacts:write",
    summary: "Change a contact by a JSON Merge Patch",
    mutates: true,
    etag: true,
    body: ContactPatch,
    response: ContactView,
    errors: [...ofOne, "contact_merged", ...changeErrors],
    handler: patch,
  }),
  route({
    method: "POST",
    path: "/contacts/:id/external-ids",
    scope: "contacts:write",
    summary: "Give a contact one more external id",
    mutates: true,
    status: 201,
    body: ExternalIdInput,
    response: ExternalIdView,
    errors: [...ofOne, "contact_merged", "external_id_taken", ...changeErrors],
    handler: addId,
  }),
  route({
    method: "DELETE",
    path: "/contacts/:id/external-ids/:source/:external_id",
    scope: "contacts:write",
    summary: "Take an external id from a contact, which frees it",
    mutates: true,
    etag: true,
    response: undefined,
    errors: [...ofOne, "contact_merged", ...changeErrors],
    handler: removeId,
  }),
];
