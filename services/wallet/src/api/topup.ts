import { type Answer, type Call, type Route, route } from "@heliograph/api";
import { parseMoney } from "@heliograph/contracts";
import { z } from "zod";
import { plainMoney, readBalance } from "./balance.ts";
import { book, isAsked } from "./booking.ts";
import { Money } from "./money.ts";
import { fieldError, needsAdmin, targetOf } from "./target.ts";

/** A balance has at most twelve whole digits; far below that no sum of valid top-ups can leave it. */
export const maxMovementMicros = 1_000_000_000n * 1_000_000n;
export const maxBalanceMicros = 100n * maxMovementMicros;

const amountForm = "must be a decimal above 0 as text, with at most 6 digits behind the point";

const Topup = z
  .strictObject({
    amount: z
      .string()
      .max(24)
      .refine((text) => (parseMoney(text) ?? 0n) > 0n, amountForm)
      .refine(
        (text) => (parseMoney(text) ?? 0n) <= maxMovementMicros,
        "must be at most 1000000000",
      ),
    currency: z.string().length(3).optional(),
    reference: z.string().min(1).max(255).optional(),
    partner_id: z.string().max(64).optional(),
    environment: z.enum(["live", "sandbox"]).optional(),
  })
  .meta({ id: "Topup" });

/** Sandbox keys may give themselves play money; everything else is for administrators. */
async function postTopup(call: Call<z.infer<typeof Topup>, unknown>): Promise<Answer> {
  const { amount, reference, environment = call.env } = call.body;
  if (!call.admin && environment === "live")
    throw needsAdmin("Live wallets are topped up with an admin key.");
  const target = targetOf(call, call.body);
  const { available } = await readBalance(target);
  if ((parseMoney(available) ?? 0n) + parseMoney(amount)! > maxBalanceMicros)
    throw fieldError("amount", "too_big", "the balance would exceed 100000000000");
  const transaction_id = call.derivedId("wtx");
  const booked = await book(call, target, {
    type: "TopupRequested",
    data: {
      transaction_id,
      amount: plainMoney(amount),
      currency: target.currency,
      ...(reference !== undefined && { reference }),
    },
  });
  return {
    status: 201,
    body: { transaction_id, available: booked.available },
    position: booked.position,
  };
}

export const topupRoute: Route = route({
  method: "POST",
  path: "/wallet/topups",
  adminKeys: true,
  scope: "wallet:write",
  summary: "Add funds: sandbox keys to their own wallet, admin keys to any",
  mutates: true,
  status: 201,
  body: Topup,
  response: z.object({ transaction_id: z.string(), available: Money }).meta({ id: "ToppedUp" }),
  errors: [
    "invalid_request",
    "malformed_json",
    "not_found",
    "idempotency_in_progress",
    "idempotency_key_reused",
    "log_unavailable",
  ],
  repeats: isAsked,
  handler: postTopup,
});
