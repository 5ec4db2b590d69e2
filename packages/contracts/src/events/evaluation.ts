import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id, Sealed, Time } from "./common.ts";

/** Who answers for an evaluation: one of ours, so nothing here is sealed. */
export const EvaluationContact = z.strictObject({
  name: z.string().max(255),
  email: z.string().max(320),
  /** Of an operator who is an agent. */
  agent_id: Id.optional(),
});

/** Platform log, stream `evaluation-<id>`. What a visitor wrote of a person is sealed by the vault of live under the evaluation's key. */
export const EvaluationRequested = defineEvent(
  "EvaluationRequested",
  1,
  "Somebody asks to try the platform.",
  z.strictObject({
    evaluation_id: Id,
    company: z.string().max(200),
    name: Sealed(200),
    email: Sealed(320),
    use_case: Sealed(2_000),
    website: z.string().max(500).optional(),
    expected_volume: z.string().max(100).optional(),
    /** A name of the address, by which another request of the same person is known; it tells nothing of the address without the naming key. */
    address: z.string().max(64),
    requested_at: Time,
    /** When the business day ends within which a person answers, by the business hours of then. */
    promised_by: Time,
  }),
);
export const EvaluationProvisioned = defineEvent(
  "EvaluationProvisioned",
  1,
  "There is a tenant with a sandbox; its key is made when the visitor fetches it.",
  z.strictObject({ evaluation_id: Id, partner_id: Id, provisioned_at: Time }),
);
export const EvaluationKeyShown = defineEvent(
  "EvaluationKeyShown",
  1,
  "The visitor fetched the sandbox key by a link, which is spent.",
  z.strictObject({ evaluation_id: Id, key_id: Id, shown_at: Time }),
);
export const EvaluationAssigned = defineEvent(
  "EvaluationAssigned",
  1,
  "An evaluation has a contact: by the rota, or because a person took or gave it.",
  z.strictObject({
    evaluation_id: Id,
    contact: EvaluationContact,
    by: z.enum(["rota", "person"]),
    slack_invite_url: z.string().max(500).optional(),
    assigned_at: Time,
  }),
);
export const EvaluationContacted = defineEvent(
  "EvaluationContacted",
  1,
  "A person has answered.",
  z.strictObject({ evaluation_id: Id, contacted_at: Time }),
);
export const EvaluationNoted = defineEvent(
  "EvaluationNoted",
  1,
  "The team wrote a note; the metadata have who.",
  z.strictObject({ evaluation_id: Id, text: Sealed(5_000), noted_at: Time }),
);
export const EvaluationReminded = defineEvent(
  "EvaluationReminded",
  1,
  "The team was reminded that nobody has answered, when half of the promised time was gone or an hour was left.",
  z.strictObject({
    evaluation_id: Id,
    reminder: z.enum(["half", "last_hour"]),
    reminded_at: Time,
  }),
);
export const EvaluationConverted = defineEvent(
  "EvaluationConverted",
  1,
  "The visitor became a customer.",
  z.strictObject({ evaluation_id: Id, converted_at: Time }),
);
export const EvaluationErased = defineEvent(
  "EvaluationErased",
  1,
  "What the visitor wrote of a person, and the team of the visitor, cannot be read any more.",
  z.strictObject({ evaluation_id: Id, erased_at: Time }),
);
export const EvaluationClosed = defineEvent(
  "EvaluationClosed",
  1,
  "Nothing more happens with an evaluation.",
  z.strictObject({
    evaluation_id: Id,
    reason: Sealed(500).optional(),
    /** The evaluation that the same person had asked for before. */
    duplicate_of: Id.optional(),
    closed_at: Time,
  }),
);
