import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Channel, Id, Sealed, Time } from "./common.ts";

/**
 * Stream `suppression-<name>` of (partner, channel, recipient): periods in which nothing is sent there. The recipient's text can be erased; the name, which
 * tells nothing, still stops what is sent to it.
 */
export const SuppressionStarted = defineEvent(
  "SuppressionStarted",
  1,
  "Nothing is to be sent to a recipient from here on.",
  z.strictObject({
    suppression_id: Id,
    name: z.string().max(64),
    channel: Channel,
    to: Sealed(512),
    applies_to: z.enum(["all", "marketing"]),
    reason: z.enum(["keyword", "complaint", "bounce", "manual", "unsubscribe"]),
    evidence: z.strictObject({ message_id: Id.optional(), text: Sealed(2000).optional() }),
    started_at: Time,
  }),
);

export const SuppressionEnded = defineEvent(
  "SuppressionEnded",
  1,
  "A period of a suppression is over.",
  z.strictObject({
    suppression_id: Id,
    name: z.string().max(64),
    channel: Channel,
    reason: z.enum(["keyword", "manual"]),
    evidence: z.strictObject({ message_id: Id.optional() }),
    ended_at: Time,
  }),
);
