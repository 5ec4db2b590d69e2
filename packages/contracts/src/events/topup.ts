import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id, Money } from "./common.ts";

/** Stream `topup-<id>`, revision 0: the wallet turns it into `FundsToppedUp`. */
export const TopupRequested = defineEvent(
  "TopupRequested",
  1,
  "Someone allowed to asked for funds to be added.",
  z.strictObject({
    transaction_id: Id,
    amount: Money,
    currency: z.string().length(3),
    reference: z.string().max(255).optional(),
  }),
);

/** Stream `topup-<id>`, revision 0: the wallet turns it into `FundsAdjusted` or `AdjustmentDeclined`. */
export const AdjustmentRequested = defineEvent(
  "AdjustmentRequested",
  1,
  "An administrator asked for a correction of a balance.",
  z.strictObject({
    transaction_id: Id,
    /** Signed. */
    amount: Money,
    currency: z.string().length(3),
    reason: z.string().max(500),
    author: z.string().max(64),
  }),
);
