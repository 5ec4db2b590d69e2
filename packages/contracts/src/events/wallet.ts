import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id, Money } from "./common.ts";

/**
 * Stream `wallet-<partner id>`, one writer: the wallet service. An event carries a whole batch, so its id cannot come from one cause:
 * `covers` is the highest position in the log whose causes are decided by it, `available` and `held` are the balance after it.
 */
const batch = {
  covers: z.string().max(20),
  available: Money,
  held: Money,
  currency: z.string().length(3),
};
const entries = z.array(z.strictObject({ message_id: Id, amount: Money })).min(1);

export const FundsHeld = defineEvent(
  "FundsHeld",
  1,
  "Funds were set aside for accepted messages.",
  z.strictObject({ ...batch, entries }),
);
export const FundsDeclined = defineEvent(
  "FundsDeclined",
  1,
  "The available funds did not cover these messages.",
  z.strictObject({ ...batch, entries, reason: z.literal("insufficient_funds") }),
);
export const FundsCaptured = defineEvent(
  "FundsCaptured",
  1,
  "Holds became charges: the messages were sent.",
  z.strictObject({ ...batch, entries }),
);
export const FundsReleased = defineEvent(
  "FundsReleased",
  1,
  "Holds were given back: the messages were never sent.",
  z.strictObject({ ...batch, entries }),
);
export const FundsRefunded = defineEvent(
  "FundsRefunded",
  1,
  "Charges were given back: the messages failed after they were sent.",
  z.strictObject({ ...batch, entries }),
);
export const FundsToppedUp = defineEvent(
  "FundsToppedUp",
  1,
  "Funds were added.",
  z.strictObject({
    ...batch,
    entries: z
      .array(
        z.strictObject({
          transaction_id: Id,
          amount: Money,
          reference: z.string().max(255).optional(),
        }),
      )
      .min(1),
  }),
);
