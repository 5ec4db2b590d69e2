import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Channel, ExternalId, Id, MailReferences, ReceivedFile, Sealed, Time } from "./common.ts";

const maxRaw = 1_000_000;

/** Stream `inbound-<id>`, revision 0. The id follows from gateway and provider message id, so what a provider posts twice is there once. */
export const InboundReceived = defineEvent(
  "InboundReceived",
  1,
  "A provider told of something that came from a person; nothing of it is interpreted yet.",
  z.strictObject({
    inbound_id: Id,
    message_id: Id,
    gateway_id: Id,
    gateway_kind: z.string().max(64),
    channel: Channel,
    provider_message_id: z.string().max(512),
    /** The partner whose sandbox it is; else the address that was written to decides. */
    partner_id: Id.optional(),
    /** The callback that it stood in, whose bytes are about the same person. */
    callback_id: Id.optional(),
    /** Where it came in parts: those of the others. */
    further_callback_ids: z.array(Id).max(254).optional(),
    /** What says that a mail is its sender's, whose name anybody can write: a server that is trusted, or that it answers a message that went to that address. Left out where the provider knows who wrote. */
    sender_proof: z
      .discriminatedUnion("by", [
        z.strictObject({ by: z.literal("nothing") }),
        z.strictObject({ by: z.literal("server") }),
        z.strictObject({ by: z.literal("answer"), message_id: Id, partner_id: Id }),
      ])
      .optional(),
    content_type: z.string().max(255),
    /** The bytes as they came, under a key of this record: text, or base64 where they are no UTF-8. */
    raw: Sealed(maxRaw),
    encoding: z.enum(["text", "base64"]),
    /** What came beside the bytes. */
    files: z.array(ReceivedFile).min(1).max(50).optional(),
    received_at: Time,
  }),
);

export const InboundMedia = z.strictObject({
  url: Sealed(2000),
  /** It is kept here: `url` is the path at which the API tells of it. */
  attachment_id: Id.optional(),
  type: z.string().max(255).optional(),
  name: Sealed(255).optional(),
  bytes: z.int().min(0).optional(),
});

/** What a message from a person says; texts are sealed under the contact's key. */
export const InboundContent = {
  from: Sealed(320),
  /** Ours: the address that was written to. */
  to: z.string().max(320),
  text: Sealed(100_000).optional(),
  html: Sealed(200_000).optional(),
  subject: Sealed(1000).optional(),
  media: z.array(InboundMedia).max(50).optional(),
  /** Of a mail: what it refers to. */
  references: MailReferences.optional(),
  /** Nothing says that it is its sender's: it is shown, and nothing is done because of it. */
  unverified: z.literal(true).optional(),
};

export const InboundMatched = defineEvent(
  "InboundMatched",
  1,
  "It is known whose message it is.",
  z.strictObject({
    inbound_id: Id,
    message_id: Id,
    contact_id: Id,
    /** Whether the contact was there before this message. */
    known: z.boolean(),
    channel: Channel,
    external_id: ExternalId,
    ...InboundContent,
    /** A reaction, an edit or a receipt is no message: it opens nothing and counts as nothing. */
    kind: z.enum(["message", "reaction", "edit"]),
    about: z.string().max(512).optional(),
    /** A machine wrote it (RFC 3834): nothing answers it by itself. */
    automatic: z.boolean().optional(),
    provider: z.strictObject({
      gateway: z.string().max(64),
      name: z.string().max(64),
      message_id: z.string().max(512),
    }),
    gateway_id: Id,
    /** The pool of the partner's that the address is in: whatever a person writes to any address of it is one conversation. */
    pool_id: Id.optional(),
    received_at: Time,
    reason: z.string().max(500),
  }),
);

export const InboundParked = defineEvent(
  "InboundParked",
  1,
  "Nobody is known to whom the message belongs; an operator can retry it once the address has an owner.",
  z.strictObject({ inbound_id: Id, message_id: Id, reason: z.string().max(500) }),
);
