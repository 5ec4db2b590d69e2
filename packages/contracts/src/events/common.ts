import { z } from "zod";
import { plainText } from "../plain.ts";

export const channels = ["sms", "whatsapp", "email", "push", "telegram", "broadcast"] as const;
export const Channel = z.enum(channels);
export type Channel = z.infer<typeof Channel>;

export const categories = ["transactional", "marketing", "authentication"] as const;
/** What a message is for. */
export const Category = z.enum(categories);
export type MessageCategory = z.infer<typeof Category>;

/** Decimal text with at most six decimals. */
export const Money = plainText(z.string().max(24));
export const Id = plainText(z.string().min(5).max(64));
export const Time = plainText(z.string().max(32));

/** What every later event of a message repeats of its request, so that the public mapping needs no look-up. */
export const MessageContext = z.strictObject({
  channel: Channel,
  to: z.string().max(512),
  client_ref: z.string().max(255).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  /** What endpoints filter by; events from before they did lack them. */
  tags: z.array(z.string().max(64)).max(20).optional(),
  /** Of a reply. */
  conversation_id: Id.optional(),
});
export type MessageContext = z.infer<typeof MessageContext>;

/** Why something failed, in our words and in the provider's. `class` says who can do something about it. */
export const Failure = z.strictObject({
  code: z.string().max(64),
  class: z.enum(["recipient", "content", "provider", "gateway", "account", "timeout", "platform"]),
  permanent: z.boolean(),
  /** The provider charges for the attempt although it failed. Left out: it does not, or nobody knows. */
  billable: z.literal(true).optional(),
  provider: z
    .strictObject({
      name: z.string().max(64),
      code: z.string().max(64).optional(),
      text: z.string().max(2000).optional(),
    })
    .optional(),
});
export type Failure = z.infer<typeof Failure>;

/**
 * A text of a person, sealed under a key that can be destroyed (`sealed:v1.…`). The bound is that of the plain text with its third more of base64.
 */
export const Sealed = (maxCharacters: number) =>
  z.string().max(Math.ceil(maxCharacters * 5.4) + 100);

/** A file that came with something: kept as an attachment, or named alone with the reason. Its type is by its bytes where they are kept, else as it was said. */
export const ReceivedFile = z.strictObject({
  attachment_id: Id.optional(),
  name: Sealed(255).optional(),
  type: z.string().max(255),
  bytes: z.int().min(0),
  not_kept: z.enum(["too_large", "too_many", "no_room"]).optional(),
});
export type ReceivedFile = z.infer<typeof ReceivedFile>;

/** Message-IDs of mails with their angle brackets, oldest first; a longer chain keeps its first and its latest. */
export const MailReferences = z.array(z.string().max(250)).max(20);

/** A name in somebody else's system. `name` is that of its claim's stream: it tells nothing of the id without the naming key. */
export const ExternalId = z.strictObject({
  source: z.string().max(64),
  id: Sealed(320),
  name: z.string().max(64),
});
export type ExternalId = z.infer<typeof ExternalId>;

/** What a provider calls a message: of a long one that it took in parts the ids of all, 25 of 64 characters at most. */
export const ProviderMessageId = z.string().max(2000);

/** More numbers than any country's plan asks of one sender; a pool is in the memory of every process. */
export const mostPoolSenders = 100;

/** What a sender of an SMS can be. */
export const senderTypes = ["alphanumeric", "short_code", "long_code"] as const;

/** Attributes that a contact is asked for at once: each is a comparison of its own in the query that finds the audience. */
export const maxAudienceAttributes = 10;
