import { z } from "zod";
import { Channel, Id, Money, Time } from "./common.ts";

/** What smart encoding has put in the place of what; an empty `to`: it is left out. */
export const Replaced = z.strictObject({
  from: z.string().max(64),
  to: z.string().max(8),
  count: z.int().min(1),
});
export type Replaced = z.infer<typeof Replaced>;

/** National language tables of 3GPP TS 23.038, 6.2.1.2.4, by their numbers there. */
const NationalTables = z.strictObject({
  locking: z.int().min(1).max(13).optional(),
  single: z.int().min(1).max(13).optional(),
});

export const Segments = z.strictObject({
  count: z.int().min(1),
  encoding: z.enum(["GSM-7", "UCS-2", "none"]),
  /** The tables that it is counted with: it is sent with these, by gateways that know them. */
  national: NationalTables.optional(),
  characters: z.int().min(0),
  replaced: z.array(Replaced).max(1_600).optional(),
});
export type Segments = z.infer<typeof Segments>;

/** A file that goes with a message: an address, or an attachment of the partner as it was when the message was accepted. */
const SentMedia = z.strictObject({
  url: z.string().optional(),
  attachment_id: z.string().optional(),
  type: z.string().max(255).optional(),
  name: z.string().optional(),
  caption: z.string().optional(),
  bytes: z.int().min(0).optional(),
});

/** What the application on a device is told beside the words, and how the device shows them. */
export const PushOptions = z.strictObject({
  data: z.record(z.string().max(64), z.string()).optional(),
  badge: z.int().min(0).optional(),
  sound: z.string().max(100).optional(),
  channel_id: z.string().max(100).optional(),
  collapse_key: z.string().max(64).optional(),
});

/** What the provider is asked to carry, rendered at accept so that a later template edit changes nothing that was accepted. */
export const Content = z.strictObject({
  text: z.string().optional(),
  html: z.string().optional(),
  subject: z.string().optional(),
  media: z.array(SentMedia).max(10).optional(),
  push: PushOptions.optional(),
  template: z
    .strictObject({
      id: Id,
      slug: z.string(),
      version: z.int().min(1),
      language: z.string(),
      variables: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    })
    .optional(),
});
export type Content = z.infer<typeof Content>;

export const Price = z.strictObject({
  list: z.string(),
  version: z.int(),
  country: z.string(),
  per_segment: Money,
});
export const sender = {
  from: z.string().max(512).optional(),
  reply_to: z.string().max(512).optional(),
  unsubscribe_url: z.string().max(1000).optional(),
};
/** The pool that `from` was taken of, and why that one: decided when the message was accepted, for all of its attempts. */
export const SenderPoolOfMessage = z.strictObject({
  pool_id: Id,
  name: z.string().max(64),
  /** Whose pool it is, where it is a gateway's: no other has these senders. */
  gateway_id: Id.optional(),
  reason: z.string().max(600),
});

/** That `from` is not what the message asked for, by the rule of the recipient's country: its default, or in the place of one that it does not take. */
export const SenderRuleOfMessage = z.strictObject({
  country_prefix: z.string().max(8),
  replaced: z.string().max(512).optional(),
  reason: z.string().max(300),
});

/** Hours in which nothing is sent, by the clocks of the recipient: the zones that were found when the message was accepted. */
export const QuietHours = z.strictObject({
  from: z.string().length(5),
  to: z.string().length(5),
  policy: z.enum(["delay", "reject"]),
  zones: z.array(z.string().max(64)).min(1).max(100),
  found: z.enum(["request", "contact", "number", "none"]),
  /** To when it was put off as it was accepted. */
  until: Time.optional(),
});
export type QuietHours = z.infer<typeof QuietHours>;

/** What becomes of a step that the next one may follow. */
export const FailoverTrigger = z.enum(["failed", "expired", "no_receipt"]);
export type FailoverTrigger = z.infer<typeof FailoverTrigger>;

/** Where a message goes when the step before came to nothing: rendered and priced as the message itself, when it was accepted. */
export const FailoverStep = z.strictObject({
  channel: Channel,
  to: z.string().max(512),
  ...sender,
  sender_pool: SenderPoolOfMessage.optional(),
  sender_rule: SenderRuleOfMessage.optional(),
  content: Content,
  on: z.array(FailoverTrigger).min(1).max(3),
  after_seconds: z.int().min(10).max(86_400).optional(),
  cost: Money,
  price: Price,
  segments: Segments,
  /** Of a recipient with zones of its own. */
  quiet_hours: QuietHours.optional(),
});
export type FailoverStep = z.infer<typeof FailoverStep>;
