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
] as const;

/** Stream `receipts-<message id>`: evidence as it came, before it is interpreted. One event per provider event. */
export const ReceiptReceived = defineEvent(
  "ReceiptReceived",
  1,
  "A provider's delivery receipt.",
  z.strictObject({
    message_id: Id,
    gateway: z.string(),
    provider_message_id: ProviderMessageId,
    /** The provider took the message in so many parts, and reports on one of them. */
    part: z.strictObject({ number: z.int().min(1), of: z.int().min(2) }).optional(),
    provider_event_id: z.string().max(255),
    status: z.enum(receiptStatuses),
    permanent: z.boolean().optional(),
    error: Failure.optional(),
    diagnostic: z.string().max(2000).optional(),
    occurred_at: Time,
  }),
);
