import { type Answer, type Call, type Route, route } from "@heliograph/api";
import { PublicError, parseMoney } from "@heliograph/contracts";
import { z } from "zod";
import { plainMoney, readBalance } from "./balance.ts";
import { book, isAsked, wasDeclined } from "./booking.ts";
import { firstThatIsNot } from "./first.ts";
import { Money } from "./money.ts";
import { Currency, fieldError, type Target, targetOf } from "./target.ts";
import { maxBalanceMicros, maxMovementMicros } from "./topup.ts";

const sizeOf = (text: string): bigint => {
  const micros = parseMoney(text) ?? 0n;
  return micros < 0n ? -micros : micros;
};

const Adjust = z
  .strictObject({
    amount: z
      .string()
      .max(24)
      .refine(
        (text) => sizeOf(text) > 0n,
        "must be a decimal other than 0 as text, with at most 6 digits behind the point",
      )
      .refine((text) => sizeOf(text) <= maxMovementMicros, "must be at most 1000000000 either way")
      .meta({ description: "Below 0: taken from the wallet.", example: "-2.50" }),
    reason: z.string().trim().min(1).max(500),
    currency: Currency.optional(),
    environment: z.enum(["live", "sandbox"]).optional(),
  })
  .meta({ id: "Adjust" });

const Adjustment = z
  .object({
    transaction_id: z.string(),
    amount: Money,
    currency: z.string(),
    reason: z.string(),
    author: z.string().meta({ description: "The key or the agent that made the correction." }),
    available: Money,
  })
  .meta({ id: "Adjustment" });

/** A refusal claims no key, but what was asked for stands in the log: asked for again it is another transaction. Gives what tells it from those that were declined; nothing for the first. */
async function attemptOf(call: Call<unknown, unknown>, { deps }: Target): Promise<string> {
  if (call.idempotencyKey === undefined) return "";
  const nameOf = (attempt: number): string => (attempt === 1 ? "" : String(attempt));
  const number = await firstThatIsNot((attempt) =>
    wasDeclined(deps.log, call.derivedId("wtx", nameOf(attempt)), call.signal),
  );
  return nameOf(number);
}

/** Corrects a balance. What takes funds away is bounded by what there is and what is lent: the wallet decides, so nothing in between can slip past. */
async function adjust(call: Call<z.infer<typeof Adjust>, unknown>): Promise<Answer> {
  const { amount: given, reason, currency, environment } = call.body;
  const target = targetOf(call, { partner_id: call.params["id"], currency, environment });
  const amount = plainMoney(given);
  const { available } = await readBalance(target);
  if ((parseMoney(available) ?? 0n) + parseMoney(amount)! > maxBalanceMicros)
    throw fieldError("amount", "too_big", "the balance would exceed 100000000000");
  const attempt = await attemptOf(call, target);
  const shown = {
    transaction_id: call.derivedId("wtx", attempt),
    amount,
    currency: target.currency,
    reason,
    author: call.actor,
  };
  const booked = await book(call, target, { type: "AdjustmentRequested", data: shown }, attempt);
  if (booked.type === "AdjustmentDeclined")
    throw new PublicError(
      "insufficient_funds",
      `There is ${booked.available} ${target.currency}: with what is lent that does not cover ${amount}. Nothing was changed.`,
      { extra: { cost: amount, currency: target.currency } },
    );
  return {
    status: 201,
    body: { ...shown, available: booked.available },
    position: booked.position,
  };
}

export const adjustmentRoute: Route = route({
  method: "POST",
  path: "/admin/partners/:id/adjustments",
  scope: "admin",
  summary: "Correct a partner's balance, with a reason",
  mutates: true,
  status: 201,
  body: Adjust,
  response: Adjustment,
  errors: [
    "invalid_request",
    "malformed_json",
    "not_found",
    "insufficient_funds",
    "idempotency_in_progress",
    "idempotency_key_reused",
    "log_unavailable",
  ],
  repeats: isAsked,
  handler: adjust,
});
