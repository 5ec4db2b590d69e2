import { PublicError } from "@heliograph/contracts";
import { parsePosition } from "@heliograph/log";
import { z } from "zod";
import {
  type Answer,
  type Call,
  anotherName,
  FieldExplanation,
  givenOnce,
  listOf,
  type Route,
  route,
} from "@heliograph/api";
import { walletStream } from "../wallets.ts";
import { adjustmentRoute } from "./adjustments.ts";
import { Money } from "./money.ts";
import { balanceFields, explainBalance, readBalance } from "./balance.ts";
import { proveWallet } from "./proof.ts";
import { settingsRoutes } from "./settings.ts";
import { currenciesOf, Currency, fieldError, ledger, targetOf } from "./target.ts";
import { statementRoute } from "./statement.ts";
import { topupRoute } from "./topup.ts";
import { Transaction, TransactionsQuery, listTransactions } from "./transactions-list.ts";

const Balance = z
  .object({ available: Money, held: Money, currency: z.string(), as_of_position: z.string() })
  .meta({ id: "Balance" });

const WalletQuery = z.strictObject({
  currency: Currency.optional().meta({ description: "Of which wallet; the partner's own." }),
});
type WalletQuery = z.infer<typeof WalletQuery>;

async function balance(call: Call<undefined, WalletQuery>): Promise<Answer> {
  return { status: 200, body: await readBalance(targetOf(call, call.query)) };
}

const BalanceExplainQuery = z.strictObject({
  field: z.enum(balanceFields).meta({ description: "The field of the balance." }),
  ...WalletQuery.shape,
});

/** The last movements alone: a wallet has as many events as its partner sends messages. */
async function explain(
  call: Call<undefined, z.infer<typeof BalanceExplainQuery>>,
): Promise<Answer> {
  return { status: 200, body: await explainBalance(targetOf(call, call.query), call.query.field) };
}

/** A wallet for each currency that the partner can have one in, its own first. */
async function wallets(call: Call<undefined, undefined>): Promise<Answer> {
  const targets = currenciesOf(call, call.partner).map((currency) => targetOf(call, { currency }));
  return { status: 200, body: { data: await Promise.all(targets.map(readBalance)) } };
}

const ProofQuery = z.strictObject({
  at: z.string().max(20).optional(),
  as_of: anotherName(z.string().max(20), "at"),
  ...WalletQuery.shape,
});

async function proof(call: Call<undefined, z.infer<typeof ProofQuery>>): Promise<Answer> {
  const head = await call.deps.log.head();
  const given = givenOnce({ at: call.query.at, as_of: call.query.as_of });
  const at = given === undefined ? head : parsePosition(given);
  if (at === undefined || at > head)
    throw fieldError("at", "invalid_position", "must be a position that the log has reached");
  const { name, currency } = targetOf(call, call.query);
  const proven = await proveWallet(call.deps.log, walletStream(name), at, call.signal);
  if (proven === undefined) throw new PublicError("bad_request", "The request was given up.");
  return {
    status: 200,
    body: { ...proven, as_of_position: proven.position, currency },
  };
}

const Proof = z
  .object({
    position: z.string(),
    as_of_position: z.string(),
    entries: z.int(),
    debits: Money,
    credits: Money,
    balance: Money,
    held: Money,
    holds_open: z.int(),
    matches: z.boolean(),
    mismatch: z.string().optional(),
    currency: z.string(),
  })
  .meta({ id: "WalletProof" });

export const walletRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/balance",
    scope: "wallet:read",
    summary: "The wallet's balance, now or as of an earlier position or time",
    asOf: true,
    projection: ledger,
    query: WalletQuery,
    response: Balance,
    errors: ["invalid_request"],
    handler: balance,
  }),
  route({
    method: "GET",
    path: "/wallet/explain",
    scope: "wallet:read",
    summary: "Which events made the balance what it is, now or as of an earlier position or time",
    asOf: true,
    projection: ledger,
    query: BalanceExplainQuery,
    response: FieldExplanation,
    errors: ["invalid_request"],
    handler: explain,
  }),
  route({
    method: "GET",
    path: "/wallets",
    scope: "wallet:read",
    summary: "The balances of all wallets, one for each currency",
    projection: ledger,
    response: z.object({ data: z.array(Balance) }).meta({ id: "Wallets" }),
    errors: [],
    handler: wallets,
  }),
  topupRoute,
  adjustmentRoute,
  ...settingsRoutes,
  statementRoute,
  route({
    method: "GET",
    path: "/wallet/transactions",
    scope: "wallet:read",
    summary: "Every movement of the wallet, newest first",
    projection: ledger,
    query: TransactionsQuery,
    response: listOf(Transaction, "WalletTransactionList"),
    errors: ["invalid_request"],
    handler: listTransactions,
  }),
  route({
    method: "GET",
    path: "/wallet/proof",
    scope: "wallet:read",
    summary: "The wallet recomputed from the log, now or at an earlier position",
    projection: ledger,
    query: ProofQuery,
    response: Proof,
    errors: ["invalid_request"],
    handler: proof,
  }),
];
