import { z } from "zod";

/** What stands readable in the log. */
export const BroadcastSettings = z.strictObject({
  /** The gateway over which the provider that keeps the lists is reached. */
  via: z.string().regex(/^gtw_[0-9A-HJKMNP-TV-Z]{26}$/, "via must be the id of a gateway, gtw_…"),
  /** Messages a second, each to a whole list. */
  per_second: z.number().min(0.01).max(1_000).optional(),
});

/** The credentials are those of the gateway that it goes through. */
export const BroadcastSecrets = z.strictObject({});
