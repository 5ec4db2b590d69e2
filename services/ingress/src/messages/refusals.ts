import type { Accepted } from "@heliograph/acceptance";
import { type Environment, PublicError } from "@heliograph/contracts";

/** A first 402 has to say what to do about it. */
const topUpHint = (environment: Environment): string =>
  environment === "sandbox"
    ? "Top it up with POST /api/v1/wallet/topups."
    : "Ask the operator of this installation to top it up.";

/** For whoever runs the installation: which setting brings a gateway. */
export const enabledBy = (channel: string): string =>
  `An operator enables it with ${channel === "email" ? "HELIOGRAPH_SMTP_URL or, for trials," : "a gateway or, for trials, with"} HELIOGRAPH_LOG_GATEWAY_CHANNELS=${channel}.`;

export function refusedFunds(
  code: "insufficient_funds" | "spend_limit_reached",
  { data: { cost, currency } }: Accepted,
  environment: Environment,
): PublicError {
  const detail =
    code === "insufficient_funds"
      ? `The wallet does not cover ${cost} ${currency}. ${topUpHint(environment)}`
      : `${cost} ${currency} more would exceed the wallet's limit of a day or a month.`;
  return new PublicError(code, detail, { extra: { cost, currency } });
}
