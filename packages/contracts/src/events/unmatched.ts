import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Failure, Id, Time } from "./common.ts";
import { receiptStatuses } from "./receipts.ts";

/**
 * Stream `unmatched-<id>`, one for each id that a provider calls a message by: a report on a message that nobody is known to have sent through this gateway, or those that are told together with it. It waits there until the message's `MessageSent` names the
 * provider's id, and becomes its `ReceiptReceived`.
 */
export const ReceiptUnmatched = defineEvent(
  "ReceiptUnmatched",
  1,
  "A provider reported on a message that is not known by its id.",
  z.strictObject({
    callback_id: Id,
    gateway: z.string(),
    provider_message_id: z.string().max(512),
    provider_event_id: z.string().max(255),
    status: z.enum(receiptStatuses),
    permanent: z.boolean().optional(),
    error: Failure.optional(),
    diagnostic: z.string().max(2000).optional(),
    occurred_at: Time,
  }),
);
