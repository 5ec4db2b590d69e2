import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id, Money } from "./common.ts";
import { Terms } from "./terms.ts";

/**
 * Stream `wallet-<partner id>`, one writer: the wallet service. An event carries a whole batch, so its id cannot come from one cause:
 * `covers` is the highest position in the log whose causes are decided by it, `available` and `held` are the balance after it.
 */
const batch = {
  covers: z.string().max(20),
  available: Money,
  held: Money,
  currency: z.string().length(3),
  /** What was set aside less what came back, on the day of the newest hold and in its month. Missing before the first hold. */
  spent: z.strictObject({ on: z.string().length(10), day: Money, month: Money }).optional(),
  /** The terms in force; missing where there are none. */
  terms: Terms.optional(),
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
  "The available funds, or what may be spent, did not cover these messages.",
  z.strictObject({
    ...batch,
    entries,
    reason: z.enum(["insufficient_funds", "spend_limit_reached"]),
  }),
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

const adjustment = z.strictObject({
  transaction_id: Id,
  amount: Money,
  reason: z.string().max(500),
  author: z.string().max(64),
});
export const FundsAdjusted = defineEvent(
  "FundsAdjusted",
  1,
  "An administrator corrected the balance; a negative amount takes funds away.",
  z.strictObject({ ...batch, entries: z.array(adjustment).length(1) }),
);
export const AdjustmentDeclined = defineEvent(
  "AdjustmentDeclined",
  1,
  "A correction would have taken more than there is and than is lent.",
  z.strictObject({ ...batch, entries: z.array(adjustment).length(1) }),
);
export const WalletTermsApplied = defineEvent(
  "WalletTermsApplied",
  1,
  "From here on the wallet decides by these terms.",
  z.strictObject(batch),
);
export const BalanceLow = defineEvent(
  "BalanceLow",
  1,
  "What is available fell below the threshold.",
  z.strictObject({ ...batch, threshold: Money }),
);
export const FundsExpired = defineEvent(
  "FundsExpired",
  1,
  "Holds were given back because nothing became of their messages in time.",
  z.strictObject({ ...batch, entries }),
);
export const FundsChargedLate = defineEvent(
  "FundsChargedLate",
  1,
  "Messages were sent after their holds had expired: they are charged to what is available.",
  z.strictObject({ ...batch, entries }),
);
export const FundsWrittenOff = defineEvent(
  "FundsWrittenOff",
  1,
  "Messages were sent after their holds had expired, and what is available does not cover them: nobody is charged.",
  z.strictObject({ ...batch, entries }),
);
export const FundsReturnedBefore = defineEvent(
  "FundsReturnedBefore",
  1,
  "Messages failed whose holds had expired: their funds were given back then, and nothing moves.",
  z.strictObject({ ...batch, entries }),
);
export const FundsKept = defineEvent(
  "FundsKept",
  1,
  "Messages failed, and a provider charges for an attempt of each: their charges stand, and nothing moves.",
  z.strictObject({ ...batch, entries }),
);

/** `amount` is what moved, `becomes` what the message's hold or charge is from here on. */
const changed = z.array(z.strictObject({ message_id: Id, amount: Money, becomes: Money })).min(1);
export const FundsReduced = defineEvent(
  "FundsReduced",
  1,
  "A part of holds was given back: the step of the message that is charged costs less than the dearest.",
  z.strictObject({ ...batch, entries: changed }),
);
export const FundsRebated = defineEvent(
  "FundsRebated",
  1,
  "A part of charges was given back: another step of the message is charged, which costs less.",
  z.strictObject({ ...batch, entries: changed }),
);
export const FundsSurcharged = defineEvent(
  "FundsSurcharged",
  1,
  "Charges were raised: another step of the message is charged, which costs more.",
  z.strictObject({ ...batch, entries: changed }),
);
