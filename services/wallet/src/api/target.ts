import { type Environment, PublicError } from "@heliograph/contracts";
import { currencyPattern, walletName } from "@heliograph/domain";
import { type Call, type EnvironmentDeps, type PartnerRecord, partnerIn } from "@heliograph/api";
import { z } from "zod";

/** The consumer that decides about funds: a read that waits for it sees what it decided about an earlier request. */
export const ledger = "wallet_ledger";

export const Currency = z.string().regex(currencyPattern, "must be an ISO 4217 code");

/** A wallet, and where it is. */
export type Target = {
  readonly partner: PartnerRecord;
  readonly environment: Environment;
  readonly deps: EnvironmentDeps;
  readonly currency: string;
  /** See `walletName`. */
  readonly name: string;
};

export const needsAdmin = (detail: string): PublicError =>
  new PublicError("insufficient_scope", detail, { extra: { required_scope: "admin" } });

export const fieldError = (path: string, code: string, message: string): PublicError =>
  new PublicError("invalid_request", `The request is not valid: ${path}: ${message}`, {
    errors: [{ path, code, message }],
  });

type Named = {
  readonly partner_id?: string | undefined;
  readonly environment?: Environment | undefined;
  readonly currency?: string | undefined;
};

/**
 * The wallet that a call names: the caller's own in its environment where it names none. What lies beyond that is for administrators; a sandbox key of theirs
 * reaches the sandbox only. Throws `not_found`, `insufficient_scope` and, for a currency in which the partner can have no wallet, `invalid_request`.
 */
export function targetOf(call: Call<unknown, unknown>, named: Named = {}): Target {
  const { partner_id: id = call.account, environment = call.env } = named;
  if (environment === "live" && call.env !== "live")
    throw needsAdmin("A sandbox key reaches the sandbox only.");
  if (!call.admin && (id !== call.account || environment !== call.env))
    throw needsAdmin("Another wallet is an administrator's to reach.");
  const { directory } = call.context;
  const account = directory.partner(id);
  if (account === undefined) throw new PublicError("not_found", "There is no such partner.");
  const partner = partnerIn(directory, environment, account);
  const currency = named.currency ?? partner.currency;
  if (!currenciesOf(call, partner).includes(currency))
    throw fieldError("currency", "currency_mismatch", `the wallet is in ${partner.currency}`);
  // Of the own environment the log as the call reads it: in turns, and as it was where that is asked for.
  const deps = environment === call.env ? call.deps : call.context.environments[environment];
  return { partner, environment, deps, currency, name: walletName(partner, currency) };
}

/** A partner can have a wallet in its own currency and in each in which something is priced: in another one nothing could be spent. */
export const currenciesOf = (
  { context }: Pick<Call, "context">,
  { currency }: PartnerRecord,
): readonly string[] => [...new Set([currency, ...context.directory.priceCurrencies().toSorted()])];
