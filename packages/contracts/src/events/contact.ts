import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Channel, ExternalId, Id, Sealed, Time } from "./common.ts";

const Name = Sealed(255).nullable();
/** JSON of `{language, time_zone, attributes, tags, client_ref}`, sealed as one text; each attribute with its type. */
const Profile = Sealed(80_000);

/** Stream `contact-<id>`. What is personal is sealed under the contact's key. */
export const ContactCreated = defineEvent(
  "ContactCreated",
  1,
  "There is a contact.",
  z.strictObject({
    contact_id: Id,
    external_ids: z.array(ExternalId).max(50),
    name: Name,
    profile: Profile,
    made_by: z.enum(["api", "import", "inbound"]),
    /** The inbound message that made it. */
    message_id: Id.optional(),
    created_at: Time,
  }),
);

export const ContactUpdated = defineEvent(
  "ContactUpdated",
  1,
  "Fields of a contact changed.",
  z.strictObject({
    contact_id: Id,
    /** As they are now; left out where they stay. */
    name: Name.optional(),
    profile: Profile.optional(),
    changed: z.array(z.string().max(128)).max(200),
    updated_at: Time,
  }),
);

export const ContactExternalIdAdded = defineEvent(
  "ContactExternalIdAdded",
  1,
  "A contact gained an external id.",
  z.strictObject({ contact_id: Id, external_id: ExternalId, added_at: Time }),
);

export const ContactExternalIdRemoved = defineEvent(
  "ContactExternalIdRemoved",
  1,
  "A contact lost an external id.",
  z.strictObject({
    contact_id: Id,
    source: z.string().max(64),
    name: z.string().max(64),
    /** Of the claim's last event when it was removed: the claim is released there and nowhere else, so that a later one stays. */
    claim_revision: z.int().min(0),
    removed_at: Time,
  }),
);

/** On the survivor: while it takes another contact in, it cannot itself be merged. */
export const ContactMergeStarted = defineEvent(
  "ContactMergeStarted",
  1,
  "A contact is about to take in another one.",
  z.strictObject({
    merge_id: Id,
    contact_id: Id,
    merged_id: Id,
    /** The other one becomes part of this right behind this revision of its stream, or never. */
    merged_revision: z.int().min(0),
    started_at: Time,
  }),
);

/** On the one that is merged away: from here on its external ids lead to the survivor. */
export const ContactMerged = defineEvent(
  "ContactMerged",
  1,
  "A contact became part of another one.",
  z.strictObject({ merge_id: Id, contact_id: Id, into: Id, merged_at: Time }),
);

/**
 * On the survivor, the end of a merge. `name` and `profile` are as they are now, and hold what is of two people: while a merge lasts they are sealed under a key
 * that both own, so that erasing either destroys it, and `ContactReleased` tells the survivor's own again.
 */
export const ContactAbsorbed = defineEvent(
  "ContactAbsorbed",
  1,
  "A contact took in another one.",
  z.strictObject({
    merge_id: Id,
    contact_id: Id,
    merged_id: Id,
    name: Name,
    profile: Profile,
    /** What the survivor lacked and gained, so that an unmerge takes back exactly that: JSON, sealed under the merged contact's key. */
    gained: Sealed(40_000),
    /** Those of the merged contact, sealed under its key; their claims go on naming it. */
    external_ids: z.array(ExternalId.extend({ added_at: Time })).max(200),
    moved: z.strictObject({
      external_ids: z.int().min(0),
      conversations: z.int().min(0),
      messages: z.int().min(0),
    }),
    absorbed_at: Time,
  }),
);

export const ContactMergeCanceled = defineEvent(
  "ContactMergeCanceled",
  1,
  "A merge that was begun did not happen.",
  z.strictObject({
    merge_id: Id,
    contact_id: Id,
    merged_id: Id,
    reason: z.string().max(500),
    canceled_at: Time,
  }),
);

/** On the survivor: the merge is undone from here on. */
export const ContactReleased = defineEvent(
  "ContactReleased",
  1,
  "A contact let go of one that it had taken in.",
  z.strictObject({
    merge_id: Id,
    contact_id: Id,
    released_id: Id,
    /** Names of the external ids that go back with it. */
    left: z.array(z.string().max(64)).max(200),
    name: Name,
    profile: Profile,
    released_at: Time,
  }),
);

/** On the one that was merged away: it is itself again. */
export const ContactUnmerged = defineEvent(
  "ContactUnmerged",
  1,
  "A merged contact is itself again.",
  z.strictObject({
    merge_id: Id,
    contact_id: Id,
    /** Names of its external ids that were taken from the survivor meanwhile. */
    lost: z.array(z.string().max(64)).max(200),
    unmerged_at: Time,
  }),
);

export const ConsentRecorded = defineEvent(
  "ConsentRecorded",
  1,
  "A contact gave or withdrew a consent.",
  z.strictObject({
    consent_id: Id,
    contact_id: Id,
    channel: Channel,
    purpose: z.string().max(64),
    status: z.enum(["granted", "withdrawn"]),
    evidence: Sealed(10_000),
    recorded_at: Time,
  }),
);

export const ContactErasureRequested = defineEvent(
  "ContactErasureRequested",
  1,
  "A contact is to be forgotten; nothing of it is shown from here on.",
  z.strictObject({ contact_id: Id, erasure_id: Id, requested_at: Time }),
);

/** The last event of a contact, after its keys are gone. */
export const ContactErased = defineEvent(
  "ContactErased",
  1,
  "The keys of a contact's data were destroyed.",
  z.strictObject({
    contact_id: Id,
    erasure_id: Id,
    /** Of contacts that were merged into it, erased with it. */
    with: z.array(Id).max(1000),
    keys_destroyed: z.int().min(0),
    key_destroyed_at: Time,
    /** JSON text of the certificate, and its signature. */
    certificate: z.string().max(10_000),
    signature: z.string().max(1000),
  }),
);
