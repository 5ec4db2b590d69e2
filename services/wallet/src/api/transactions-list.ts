import {
  type Answer,
  type Call,
  ListQuery,
  TimeInput,
  listBody,
  listed,
  pageOf,
  timeOf,
} from "@heliograph/api";
import { z } from "zod";
import { walletStream } from "../wallets.ts";
import { Money } from "./money.ts";
import { Currency, targetOf } from "./target.ts";
import { readTransactions, transactionKey } from "./transactions.ts";

const kinds = ["topup", "hold", "capture", "release", "refund", "adjustment"] as const;

export const Transaction = z
  .object({
    id: z.string(),
    kind: z.enum(kinds),
    amount: Money.meta({
      description: "Never negative, `kind` tells its direction; signed where that is `adjustment`.",
    }),
    balance_after: Money.meta({ description: "What is available after it." }),
    currency: z.string(),
    message_id: z.string().optional(),
    reference: z.string().optional(),
    reason: z
      .string()
      .optional()
      .meta({ description: "Of an adjustment; `hold_expired` of a release by time." }),
    author: z.string().optional().meta({ description: "Of an adjustment." }),
    event_id: z.string(),
    created_at: z.string(),
  })
  .meta({ id: "WalletTransaction" });

export const TransactionsQuery = ListQuery.extend({
  kind: listed(kinds).optional().meta({
    description: "One or more, separated by commas.",
    example: "topup,refund",
  }),
  message_id: z.string().max(64).optional(),
  reference: z.string().max(255).optional(),
  currency: Currency.optional().meta({ description: "Of which wallet; the partner's own." }),
  created_from: TimeInput.optional(),
  created_before: TimeInput.optional(),
}).meta({
  description:
    "Narrow a rare `kind` or `reference` by time: a page that found nothing in a long stretch is empty and has a `next_cursor`.",
});

/** A page of the wallet's transactions, newest first. */
export async function listTransactions(
  call: Call<undefined, z.infer<typeof TransactionsQuery>>,
): Promise<Answer> {
  const name = "wallet-transactions";
  const page = pageOf(call, name);
  const { log, projectionPool: pool } = call.deps;
  const { name: partner } = targetOf(call, call.query);
  const { kind, message_id, reference, created_from, created_before } = call.query;
  const { rows, ...beyond } = await readTransactions(
    { log, stream: walletStream(partner), pool, partner },
    page,
    {
      kinds: kind,
      messageId: message_id,
      reference,
      createdFrom: timeOf(created_from),
      createdBefore: timeOf(created_before),
    },
  );
  const show = ({ transaction }: (typeof rows)[number]) => transaction;
  return { status: 200, body: listBody(call, name, page, rows, transactionKey, show, beyond) };
}
