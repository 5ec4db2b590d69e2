import { type Answer, type Call, type Route, etagOf, requireMatch, route } from "@heliograph/api";
import { isId, streamOf, PublicError, type EventData } from "@heliograph/contracts";
import { z } from "zod";
import { contextOf } from "../api/contacts.ts";
import { refusalOf } from "../commands.ts";
import { notFound } from "../refusals.ts";
import { changeContact, survivorOf } from "../streams.ts";
import type { Certificate } from "./certificate.ts";

const Erasure = z
  .object({
    erasure_id: z.string(),
    status: z.enum(["requested", "completed"]),
    requested_at: z.string(),
    key_destroyed_at: z.string().nullable(),
    certificate: z
      .object({
        contact_id: z.string(),
        contacts: z.array(z.string()).meta({ description: "With those that were part of it." }),
        environment: z.enum(["live", "sandbox"]),
        erasure_id: z.string(),
        key_destroyed_at: z.string(),
        keys_destroyed: z.int(),
        partner_id: z.string(),
        public_key: z.string().meta({ description: "Ed25519, base64url (the `x` of a JWK)." }),
        requested_at: z.string(),
        statement: z.string(),
        signature: z.string().meta({
          description:
            "Ed25519, base64url, over the certificate without this field as JSON by RFC 8785: keys sorted, no blanks, UTF-8.",
        }),
      })
      .meta({ id: "ErasureCertificate" })
      .nullable(),
  })
  .meta({ id: "ContactErasure" });

/** From here on nothing of the contact is shown; the reactor does the rest. */
async function request(call: Call<undefined, unknown>): Promise<Answer> {
  const id = call.params["id"]!;
  if (!isId("cnt", id)) throw notFound();
  const context = contextOf(call);
  const data: EventData<"ContactErasureRequested"> = {
    contact_id: id,
    erasure_id: call.derivedId("ers", id),
    requested_at: new Date().toISOString(),
  };
  const changed = await changeContact<PublicError>(
    context,
    id,
    context.eventId("erasure"),
    (contact, revision) => {
      const refusal = refusalOf(contact, id);
      if (refusal !== undefined) return { refusal };
      if (contact!.absorbing !== undefined)
        return { refusal: new PublicError("conflict", "It is just taking in another contact.") };
      requireMatch(call, etagOf(revision));
      return { events: [{ type: "ContactErasureRequested", data }] };
    },
  );
  if (changed.kind === "refused") throw changed.refusal;
  return {
    status: 202,
    body: { erasure_id: changed.contact.erasure_id },
    position: changed.position,
  };
}

/** Also by the id of a contact that was part of the erased one. */
async function read(call: Call<undefined, unknown>): Promise<Answer> {
  const id = call.params["id"]!;
  const found = isId("cnt", id) ? await survivorOf(contextOf(call), id) : undefined;
  if (found === undefined) throw notFound();
  let requested: EventData<"ContactErasureRequested"> | undefined;
  let done: EventData<"ContactErased"> | undefined;
  const stream = streamOf("contact", found.contact.contact_id);
  for await (const event of call.deps.log.scanStream(stream)) {
    if (event.type === "ContactErasureRequested") requested = event.data;
    if (event.type === "ContactErased") done = event.data;
  }
  if (requested === undefined) throw notFound("erasure");
  const { erasure_id, requested_at } = requested;
  return {
    status: 200,
    body: {
      erasure_id,
      status: done === undefined ? "requested" : "completed",
      requested_at,
      key_destroyed_at: done?.key_destroyed_at ?? null,
      certificate:
        done === undefined
          ? null
          : { ...(JSON.parse(done.certificate) as Certificate), signature: done.signature },
    },
  };
}

export const erasureRoutes: readonly Route[] = [
  route({
    method: "DELETE",
    path: "/contacts/:id",
    scope: "contacts:write",
    summary: "Erase a contact: its keys are destroyed, and what they sealed is unreadable for ever",
    mutates: true,
    evenSuspended: true,
    status: 202,
    etag: true,
    response: z.object({ erasure_id: z.string() }).meta({ id: "ErasureRequested" }),
    errors: [
      "not_found",
      "contact_merged",
      "contact_erased",
      "conflict",
      "precondition_failed",
      "log_unavailable",
      "idempotency_in_progress",
      "idempotency_key_reused",
    ],
    handler: request,
  }),
  route({
    method: "GET",
    path: "/contacts/:id/erasure",
    folded: true,
    scope: "contacts:read",
    summary: "How far an erasure is, and its signed certificate",
    response: Erasure,
    errors: ["not_found"],
    handler: read,
  }),
];
