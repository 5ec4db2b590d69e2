import { gatewayKind } from "../descriptor.ts";
import { isApnsToken } from "../push-recipient.ts";
import { createApnsGateway } from "./connector.ts";
import { apnsErrors } from "./errors.ts";
import { ApnsSecrets, ApnsSettings } from "./settings.ts";

/** Notifications over the Apple Push Notification service. It tells no sender what became of a message. */
export const apns = gatewayKind({
  kind: "apns",
  channels: ["push"],
  environments: ["live"],
  settings: ApnsSettings,
  secrets: ApnsSecrets,
  errors: apnsErrors,
  create: createApnsGateway,
  reaches: isApnsToken,
  // Both are built into its sessions.
  rebuiltBy: ["max_concurrent", "timeout_ms"],
  // Nobody can be asked about a message.
  asks: false,
  hasBreaker: true,
});
