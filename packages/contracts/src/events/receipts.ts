import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Failure, Id, ProviderMessageId, Time } from "./common.ts";

/** What a provider may report of a message that it took. */
export const receiptStatuses = [
  "sent",
  "delivered",
  "read",
  "undelivered",
  "bounced",
  "deferred",
  /** The recipient told the provider that this is unwanted: a feedback report (RFC 5965), or its like on other channels. */
  "complained",
  /** The recipient told the provider to get no more advertising. It says nothing of the message. */
  "unsubscribed",
] as const;

/** What a receipt says, whichever reading of its provider's words it is from. */
const receipt = <Status extends z.ZodType>(status: Status) => ({
  message_id: Id,
  gateway: z.string(),
  provider_message_id: ProviderMessageId,
  /** The provider took the message in so many parts, and reports on one of them. */
  part: z.strictObject({ number: z.int().min(1), of: z.int().min(2) }).optional(),
  provider_event_id: z.string().max(255),
  status,
  permanent: z.boolean().optional(),
  error: Failure.optional(),
  diagnostic: z.string().max(2000).optional(),
  occurred_at: Time,
});

/** Stream `receipts-<message id>`: evidence as it came, before it is interpreted. One event per provider event. */
export const ReceiptReceived = defineEvent(
  "ReceiptReceived",
  1,
  "A provider's delivery receipt.",
  z.strictObject(receipt(z.enum(receiptStatuses))),
);

/**
 * The same stream: what a callback of the past says by the parser of today. From here on this counts in the place of what the same provider event was taken to say before; `nothing` says that it
 * is no receipt after all.
 */
export const ReceiptReread = defineEvent(
  "ReceiptReread",
  1,
  "A provider's receipt was read again, and says something else than it was taken to say.",
  z.strictObject({
    ...receipt(z.enum([...receiptStatuses, "nothing"])),
    /** What it was taken to say. */
    before: z.enum([...receiptStatuses, "nothing"]),
    callback_id: Id,
  }),
);
