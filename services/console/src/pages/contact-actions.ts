import { Refused } from "../client.ts";
import type { Led, Page, Shown, Visit } from "../page.ts";
import { keyOf } from "../view/forms.ts";
import { contactApi, contactPath } from "./contact-paths.ts";
import { showContact, type Part } from "./contacts.ts";

type Call = { readonly method: string; readonly path: string; readonly body?: object };

/** A form of a contact's page: one call, and back there, also with what was refused. */
const action = (path: string, part: Part, told: string, callOf: (visit: Visit) => Call): Page => ({
  method: "POST",
  path: `/contacts/:id/${path}`,
  section: "/contacts",
  async answer(visit): Promise<Shown | Led> {
    const id = visit.params["id"]!;
    const { method, path: below, body } = callOf(visit);
    const key = keyOf(visit.form);
    try {
      const asked = { key, ...(body !== undefined && { body }) };
      await visit.api.send(method, `${contactApi(id)}/${below}`, asked);
      return { to: contactPath(id), told };
    } catch (error) {
      if (!(error instanceof Refused) || error.problem.status === 403) throw error;
      return showContact(visit, { part, problem: error.problem });
    }
  },
});

export const contactActions: readonly Page[] = [
  action("external-ids", "adding", "The external id is added.", ({ form }): Call => ({
    method: "POST",
    path: "external-ids",
    body: { source: form.text("source"), id: form.text("id") },
  })),
  action(
    "external-ids/remove",
    "other",
    "The external id is removed. Another contact can have it.",
    ({ form }): Call => ({
      method: "DELETE",
      path: `external-ids/${[form.exact("source"), form.exact("id")].map(encodeURIComponent).join("/")}`,
    }),
  ),
  action(
    "unmerge",
    "other",
    "Unmerged: both are contacts of their own again.",
    ({ form }): Call => ({
      method: "POST",
      path: "unmerge",
      body: { merge_id: form.text("merge_id") },
    }),
  ),
  action("consents", "consent", "The consent is recorded.", ({ form }): Call => ({
    method: "POST",
    path: "consents",
    body: {
      channel: form.text("channel"),
      purpose: form.text("purpose"),
      status: form.text("status"),
      evidence: form.text("evidence"),
    },
  })),
];
