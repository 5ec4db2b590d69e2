import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id, Time } from "./common.ts";

export const RateLimit = z.strictObject({
  requests: z.int().min(1),
  window_seconds: z.int().min(1).max(3600),
});

/** Stream `partner-<id>` of the `platform` namespace, as keys, gateways and prices are. */
export const PartnerCreated = defineEvent(
  "PartnerCreated",
  1,
  "A tenant was created.",
  z.strictObject({
    partner_id: Id,
    name: z.string().min(1).max(200),
    currency: z.string().length(3),
    rate_limit: RateLimit.optional(),
    created_at: Time,
  }),
);
