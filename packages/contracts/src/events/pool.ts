import { z } from "zod";
import { defineEvent } from "../define.ts";
import { plainText } from "../plain.ts";
import { Channel, Id, mostPoolSenders, Time } from "./common.ts";

const Environment = z.enum(["live", "sandbox"]);

/**
 * Stream `pool-<id>` of the `platform` namespace: senders of which each recipient has one. It is a partner's, or, with `gateway_id`, whoever's messages that gateway carries.
 */
export const SenderPoolConfigured = defineEvent(
  "SenderPoolConfigured",
  1,
  "A pool of senders was made or changed.",
  z.strictObject({
    pool_id: Id,
    environment: Environment,
    name: plainText(z.string().max(64)),
    channel: Channel,
    partner_id: Id.optional(),
    gateway_id: Id.optional(),
    senders: z
      .array(plainText(z.string().max(512)))
      .min(1)
      .max(mostPoolSenders),
    /** Where people write to them, in the one form of such addresses. */
    inboxes: z.array(plainText(z.string().max(320))).max(mostPoolSenders),
    /** Messages of the channel that name no sender take one of these. */
    default: z.boolean(),
    configured_at: Time,
  }),
);

export const SenderPoolRemoved = defineEvent(
  "SenderPoolRemoved",
  1,
  "A pool of senders is gone.",
  z.strictObject({
    pool_id: Id,
    environment: Environment,
    partner_id: Id.optional(),
    removed_at: Time,
  }),
);
