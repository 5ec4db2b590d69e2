import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Channel, Id, Sealed, Time } from "./common.ts";

const AppliesTo = z.enum(["all", "marketing"]);
const Reason = z.enum(["keyword", "complaint", "bounce", "manual", "unsubscribe"]);
/** One period for each reason and extent can be active at a time, which are ten. */
const Active = z.array(z.strictObject({ id: Id, applies_to: AppliesTo, reason: Reason })).max(10);

/** Stream `suppression-<id>` of a period, one event: where it is, so that its id alone leads there. Written before the period starts. */
export const SuppressionPlaced = defineEvent(
  "SuppressionPlaced",
  1,
  "A period of a suppression belongs to a recipient.",
  z.strictObject({ suppression_id: Id, name: z.string().max(64) }),
);

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
    applies_to: AppliesTo,
    reason: Reason,
    evidence: z.strictObject({ message_id: Id.optional(), text: Sealed(2000).optional() }),
    started_at: Time,
    /** The periods that are active after this: the last event alone tells whether a message may go. */
    active: Active,
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
    reason: z.enum(["keyword", "manual", "correction"]),
    evidence: z.strictObject({ message_id: Id.optional() }),
    ended_at: Time,
    active: Active,
  }),
);
