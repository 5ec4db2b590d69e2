import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id, Money, Time } from "./common.ts";

/** What a wallet decides by. What is missing does not bind. */
export const Terms = z.strictObject({
  low_balance_threshold: Money.optional(),
  spend_limit_day: Money.optional(),
  spend_limit_month: Money.optional(),
  credit_limit: Money.optional(),
});
export type Terms = z.infer<typeof Terms>;

/** Stream `terms-<wallet>`: the wallet takes them up where they stand in the log. */
export const WalletTermsSet = defineEvent(
  "WalletTermsSet",
  1,
  "Someone allowed to set the terms of a wallet.",
  z.strictObject({
    partner_id: Id,
    currency: z.string().length(3),
    terms: Terms,
    set_at: Time,
  }),
);
