import { gatewayKind } from "../descriptor.ts";
import { isApnsToken } from "../push-recipient.ts";
import { createFcmGateway } from "./connector.ts";
import { fcmErrors } from "./errors.ts";
import { FcmSecrets, FcmSettings } from "./settings.ts";

/** Notifications over Firebase Cloud Messaging, HTTP v1. It tells no sender what became of a message. */
export const fcm = gatewayKind({
  kind: "fcm",
  channels: ["push"],
  environments: ["live"],
  settings: FcmSettings,
  secrets: FcmSecrets,
  errors: fcmErrors,
  create: createFcmGateway,
  reaches: (to) => !isApnsToken(to),
  // Both are built into its connections.
  rebuiltBy: ["max_concurrent", "timeout_ms"],
  // Nobody can be asked about a message.
  asks: false,
  hasBreaker: true,
  keepsLists: true,
});
