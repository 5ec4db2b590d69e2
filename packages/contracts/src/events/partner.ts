import { z } from "zod";
import { defineEvent } from "../define.ts";
import { plainText } from "../plain.ts";
import { Id, Time } from "./common.ts";

export const RateLimit = z.strictObject({
  requests: z.int().min(1),
  window_seconds: z.int().min(1).max(3600),
  /** How many may come at once; `requests` when left out. */
  burst: z.int().min(1).optional(),
});

/** What bounds a partner; each that is left out bounds nothing, but for the rate limit, which has a default. */
const limits = {
  rate_limit: RateLimit.optional(),
  /** Messages a second. */
  message_rate: z.int().min(1).optional(),
  /** Messages of a day in UTC. */
  daily_messages: z.int().min(0).optional(),
  /** To one recipient of a channel. */
  recipient_rate: z
    .strictObject({ messages: z.int().min(1), window_seconds: z.int().min(1).max(3600) })
    .optional(),
  /** ISO 3166-1 alpha-2, of numbers that may be written to. */
  allowed_countries: z.array(plainText(z.string().length(2))).optional(),
};

/** Stream `partner-<id>` of the `platform` namespace, as keys, gateways and prices are. */
export const PartnerCreated = defineEvent(
  "PartnerCreated",
  1,
  "A tenant was created.",
  z.strictObject({
    partner_id: Id,
    name: plainText(z.string().min(1).max(200)),
    currency: plainText(z.string().length(3)),
    rate_limit: RateLimit.optional(),
    created_at: Time,
  }),
);

export const PartnerChanged = defineEvent(
  "PartnerChanged",
  1,
  "A tenant is as it stands here.",
  z.strictObject({
    partner_id: Id,
    name: plainText(z.string().min(1).max(200)),
    status: z.enum(["active", "suspended"]),
    ...limits,
    changed_at: Time,
  }),
);

/**
 * Where a tenant lives, when it is about to leave this installation for a copy of it: `leaving` nobody acts for it, `elsewhere` it is the other installation's, for ever, and `here` it has stayed or has
 * arrived. What was not said is here.
 */
export const PartnerPlaced = defineEvent(
  "PartnerPlaced",
  1,
  "A tenant is leaving, lives in another installation from here on, or lives here.",
  z.strictObject({
    partner_id: Id,
    place: z.enum(["leaving", "elsewhere", "here"]),
    /** Elsewhere: the address of that installation's API. */
    address: plainText(z.string().max(2_000)).optional(),
    /** Of the one copy that the tenant moves to: of several only that one may let it in. */
    move_id: z.string().max(64).optional(),
    placed_at: Time,
  }),
);
