import { PublicError, parseMoney, streamOf, type StreamOf } from "@heliograph/contracts";
import { parsePosition } from "@heliograph/log";
import { z } from "zod";
import {
  type Call,
  type EnvironmentDeps,
  type PartnerRecord,
  givenOnce,
  listOf,
  type Answer,
  type Route,
  route,
} from "@heliograph/api";
import { Money } from "./money.ts";
import { plainMoney, readBalance } from "./balance.ts";
import { proveWallet } from "./proof.ts";
import { topUp } from "./topup.ts";
import { Transaction, TransactionsQuery, listTransactions } from "./transactions-list.ts";

/** The consumer that decides about funds: a read that waits for it sees what it decided about an earlier request. */
const ledger = "wallet_ledger";

/** A balance has at most twelve whole digits; far below that no sum of valid top-ups can leave it. */
const maxTopupMicros = 1_000_000_000n * 1_000_000n;
const maxBalanceMicros = 100n * maxTopupMicros;

const Balance = z
  .object({ available: Money, held: Money, currency: z.string(), as_of_position: z.string() })
  .meta({ id: "Balance" });

const Topup = z
  .strictObject({
    amount: z
      .string()
      .max(24)
      .refine((text) => (parseMoney(text) ?? 0n) > 0n, "must be a decimal above 0, as text")
      .refine((text) => (parseMoney(text) ?? 0n) <= maxTopupMicros, "must be at most 1000000000"),
    currency: z.string().length(3).optional(),
    reference: z.string().min(1).max(255).optional(),
    partner_id: z.string().max(64).optional(),
    environment: z.enum(["live", "sandbox"]).optional(),
  })
  .meta({ id: "Topup" });

const needsAdmin = (detail: string): PublicError =>
  new PublicError("insufficient_scope", detail, { extra: { required_scope: "admin" } });

const fieldError = (path: string, code: string, message: string): PublicError =>
  new PublicError("invalid_request", `The request is not valid: ${path}: ${message}`, {
    errors: [{ path, code, message }],
  });

/** Whose wallet is topped up, and where. Sandbox keys may give themselves play money; everything else is for administrators. */
function targetOf(call: Call<z.infer<typeof Topup>, unknown>): {
  readonly partner: PartnerRecord;
  readonly deps: EnvironmentDeps;
} {
  const { partner_id: id = call.partner.partner_id, environment = call.env } = call.body;
  if (environment === "live" && call.env !== "live")
    throw needsAdmin("A sandbox key reaches the sandbox only.");
  if (!call.admin && environment === "live")
    throw needsAdmin("Live wallets are topped up with an admin key.");
  if (!call.admin && (id !== call.partner.partner_id || environment !== call.env))
    throw needsAdmin("Another wallet is topped up with an admin key.");
  const partner = call.context.directory.partner(id);
  if (partner === undefined) throw new PublicError("not_found", "There is no such partner.");
  return { partner, deps: call.context.environments[environment] };
}

async function postTopup(call: Call<z.infer<typeof Topup>, unknown>): Promise<Answer> {
  const { partner, deps } = targetOf(call);
  const { amount, currency = partner.currency, reference } = call.body;
  if (currency !== partner.currency)
    throw fieldError("currency", "currency_mismatch", `the wallet is in ${partner.currency}`);
  const { available } = await readBalance(deps.log, partner);
  if ((parseMoney(available) ?? 0n) + parseMoney(amount)! > maxBalanceMicros)
    throw fieldError("amount", "too_big", "the balance would exceed 100000000000");
  const transaction_id = call.derivedId("wtx");
  const booked = await topUp(call, deps.log, partner.partner_id, {
    transaction_id,
    amount: plainMoney(amount),
    currency,
    ...(reference !== undefined && { reference }),
  });
  return {
    status: 201,
    body: { transaction_id, available: booked.available },
    position: booked.position,
  };
}

const walletOf = (call: Call<unknown, unknown>): StreamOf<"wallet"> =>
  streamOf("wallet", call.partner.partner_id);

const ProofQuery = z.strictObject({
  at: z.string().max(20).optional(),
  as_of: z.string().max(20).optional().meta({ description: "Another name of `at`." }),
});

async function proof(call: Call<undefined, z.infer<typeof ProofQuery>>): Promise<Answer> {
  const head = await call.deps.log.head();
  const given = givenOnce({ at: call.query.at, as_of: call.query.as_of });
  const at = given === undefined ? head : parsePosition(given);
  if (at === undefined || at > head)
    throw fieldError("at", "invalid_position", "must be a position that the log has reached");
  const proven = await proveWallet(call.deps.log, walletOf(call), at, call.signal);
  if (proven === undefined) throw new PublicError("bad_request", "The request was given up.");
  return {
    status: 200,
    body: { ...proven, as_of_position: proven.position, currency: call.partner.currency },
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
    summary: "The wallet's balance",
    projection: ledger,
    response: Balance,
    errors: [],
    handler: async (call) => ({
      status: 200,
      body: await readBalance(call.deps.log, call.partner),
    }),
  }),
  route({
    method: "POST",
    path: "/wallet/topups",
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
    handler: postTopup,
  }),
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
