import {
  type Answer,
  type Call,
  type Route,
  TimeInput,
  listOf,
  route,
  timeOf,
} from "@heliograph/api";
import { type EventData, channels, isId, type PublicError } from "@heliograph/contracts";
import { z } from "zod";
import { refusalOf } from "../commands.ts";
import { isInForce, periodsOf, readConsents } from "../consents.ts";
import { notFound } from "../refusals.ts";
import { changeContact, loadContact } from "../streams.ts";
import { contextOf } from "./contacts.ts";

/** What shows that somebody agreed: the text and where it stood, or fields such as an address and a time. */
const maxEvidenceCharacters = 5_000;

const RecordConsent = z
  .strictObject({
    channel: z.enum(channels),
    purpose: z.string().min(1).max(64),
    status: z.enum(["granted", "withdrawn"]),
    evidence: z
      .union([z.string().min(1), z.record(z.string(), z.unknown())])
      .refine(
        (evidence) => JSON.stringify(evidence).length <= maxEvidenceCharacters,
        `must have at most ${maxEvidenceCharacters} characters`,
      ),
  })
  .meta({ id: "RecordConsent" });

const ConsentView = z
  .object({
    id: z.string(),
    channel: z.enum(channels),
    purpose: z.string(),
    status: z.enum(["granted", "withdrawn"]),
    evidence: z.union([z.string(), z.record(z.string(), z.unknown())]),
    started_at: z.string(),
    ended_at: z.string().nullable(),
  })
  .meta({ id: "Consent" });

const ConsentsQuery = z.strictObject({
  as_of: TimeInput.optional().meta({
    description: "Only what was in force then; left out: every period, oldest first.",
  }),
});

async function record(call: Call<z.infer<typeof RecordConsent>>): Promise<Answer> {
  const id = call.params["id"]!;
  const { channel, purpose, status, evidence } = call.body;
  const data: EventData<"ConsentRecorded"> = {
    consent_id: call.derivedId("con", id),
    contact_id: id,
    channel,
    purpose,
    status,
    evidence: JSON.stringify(evidence),
    recorded_at: call.timestamp(),
  };
  if (!isId("cnt", id)) throw notFound();
  const context = contextOf(call);
  call.concerns(id);
  const changed = await changeContact<PublicError>(
    context,
    id,
    call.eventId(`consent ${id}`),
    (contact) => {
      const refusal = refusalOf(contact, id);
      return refusal === undefined ? { events: [{ type: "ConsentRecorded", data }] } : { refusal };
    },
  );
  if (changed.kind === "refused") throw changed.refusal;
  // A repetition shows what the first one recorded.
  const stored =
    changed.kind === "changed" && changed.first.type === "ConsentRecorded"
      ? changed.first.data
      : data;
  const [body] = periodsOf([stored]);
  return { status: 201, body, position: changed.position };
}

async function list(call: Call<undefined, z.infer<typeof ConsentsQuery>>): Promise<Answer> {
  const id = call.params["id"]!;
  const context = contextOf(call);
  const loaded = isId("cnt", id) ? await loadContact(context, id) : undefined;
  const refusal = refusalOf(loaded?.contact, id);
  if (refusal !== undefined) throw refusal;
  const asOf = timeOf(call.query.as_of);
  const periods = periodsOf(await readConsents(context, id));
  const data = asOf === undefined ? periods : periods.filter((each) => isInForce(each, asOf));
  return {
    status: 200,
    body: { data, next_cursor: null, next_after: null, prev_cursor: null },
  };
}

export const consentRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/contacts/:id/consents",
    scope: "contacts:write",
    summary: "Record that a contact gave or withdrew a consent",
    mutates: true,
    status: 201,
    body: RecordConsent,
    response: ConsentView,
    errors: [
      "invalid_request",
      "malformed_json",
      "not_found",
      "conflict",
      "contact_merged",
      "contact_erased",
      "idempotency_in_progress",
      "idempotency_key_reused",
      "log_unavailable",
    ],
    handler: record,
  }),
  route({
    method: "GET",
    path: "/contacts/:id/consents",
    folded: true,
    scope: "contacts:read",
    summary: "List the consents of a contact, all of them or those in force at a time",
    query: ConsentsQuery,
    response: listOf(ConsentView, "ConsentList"),
    errors: ["invalid_request", "not_found", "contact_merged", "contact_erased"],
    handler: list,
  }),
];
