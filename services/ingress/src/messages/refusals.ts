import { type Accepted, channelNotEnabled } from "@heliograph/acceptance";
import { type Channel, type Environment, PublicError } from "@heliograph/contracts";
import { carries } from "@heliograph/domain";
import type { GatewayConfig } from "@heliograph/runtime";

/** A first 402 has to say what to do about it. */
const topUpHint = (environment: Environment): string =>
  environment === "sandbox"
    ? "Top it up with POST /api/v1/wallet/topups."
    : "Ask the operator of this installation to top it up.";

/** For whoever runs the installation: which setting brings a gateway. */
const enabledBy = (channel: string): string =>
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

/** Something must be there that carries what the partner sends to a country; "" asks for any. Throws `channel_not_enabled`. */
export function requireGateway(
  gateways: readonly GatewayConfig[],
  channel: Channel,
  partner: string,
  country: string,
): void {
  if (gateways.some((gateway) => gateway.enabled && carries(gateway, partner, country))) return;
  const where = country === "" ? "in this environment" : `to ${country}`;
  throw channelNotEnabled(
    channel,
    `There is no gateway for ${channel} ${where}. ${enabledBy(channel)}`,
  );
}
