import { type Answer, type Call, type Route, listOf, route } from "@heliograph/api";
import { isId } from "@heliograph/contracts";
import type { z } from "zod";
import { refusalOf } from "../commands.ts";
import { contactView, ownersOf } from "../contact.ts";
import { mergeContacts, previewMerge, unmergeContacts } from "../merge/saga.ts";
import { notFound } from "../refusals.ts";
import { loadContact } from "../streams.ts";
import { readActivity } from "../tables/activity.ts";
import { contextOf } from "./contacts.ts";
import { LastingMerge, MergeContact, MergeView, UnmergeContact, UnmergedView } from "./schema.ts";

async function merge(call: Call<z.infer<typeof MergeContact>>): Promise<Answer> {
  const { into, dry_run: dryRun = false } = call.body;
  const context = contextOf(call);
  const ids = { from: call.params["id"]!, into };
  const count = (contacts: readonly string[]) => readActivity(call.deps.projectionPool, contacts);
  const mergeId = dryRun ? null : call.derivedId("mrg", ids.from);
  const merged =
    mergeId === null
      ? await previewMerge(context, ids, count)
      : await mergeContacts(context, { ...ids, mergeId }, count);
  if (merged.kind === "refused") throw merged.error;
  const { survivor, moved } = merged;
  call.concerns(ids.from, ...ownersOf(survivor.contact));
  return {
    status: 200,
    body: { merge_id: mergeId, contact: contactView(survivor.contact), moved },
    ...(!dryRun && { position: survivor.position }),
  };
}

async function unmerge(call: Call<z.infer<typeof UnmergeContact>>): Promise<Answer> {
  const result = await unmergeContacts(contextOf(call), call.params["id"]!, call.body.merge_id);
  if (result.kind === "refused") throw result.error;
  const { contacts } = result;
  call.concerns(...contacts.flatMap(({ contact }) => ownersOf(contact)));
  return {
    status: 200,
    body: { contacts: contacts.map(({ contact }) => contactView(contact)) },
    position: contacts[1].position,
  };
}

/** Merges that last, oldest first: each can be undone. */
async function list(call: Call<undefined, undefined>): Promise<Answer> {
  const id = call.params["id"]!;
  const loaded = isId("cnt", id) ? await loadContact(contextOf(call), id) : undefined;
  const refusal = refusalOf(loaded?.contact, id);
  if (refusal !== undefined || loaded === undefined) throw refusal ?? notFound();
  const data = loaded.contact.merges.map(({ merge_id, merged_id, merged_at }) => ({
    merge_id,
    contact_id: merged_id,
    merged_at,
  }));
  return {
    status: 200,
    body: { data, next_cursor: null, next_after: null, prev_cursor: null },
  };
}

const errors = [
  "not_found",
  "contact_erased",
  "contact_merged",
  "invalid_request",
  "malformed_json",
  "conflict",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "log_unavailable",
] as const;

export const mergeRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/contacts/:id/merges",
    folded: true,
    scope: "contacts:read",
    summary:
      "List the contacts that are part of a contact, each with the merge that an unmerge undoes",
    response: listOf(LastingMerge, "LastingMergeList"),
    errors: ["not_found", "contact_merged", "contact_erased"],
    handler: list,
  }),
  route({
    method: "POST",
    path: "/contacts/:id/merge",
    scope: "contacts:write",
    summary: "Merge a contact into another one, or see what that would do",
    mutates: true,
    body: MergeContact,
    response: MergeView,
    errors,
    handler: merge,
  }),
  route({
    method: "POST",
    path: "/contacts/:id/unmerge",
    scope: "contacts:write",
    summary: "Undo a merge; changes made since stay with the survivor",
    mutates: true,
    body: UnmergeContact,
    response: UnmergedView,
    errors,
    handler: unmerge,
  }),
];
