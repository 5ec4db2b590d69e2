import { gatewayKind } from "../descriptor.ts";
import { createTelegramGateway } from "./connector.ts";
import { telegramErrors } from "./errors.ts";
import { telegramFile } from "./files.ts";
import { TelegramSecrets, TelegramSettings } from "./settings.ts";
import { readTelegram, telegramInbound, verifyTelegram } from "./updates.ts";

/** Messages of a bot over the Telegram Bot API, and what people write to it. Telegram confirms no delivery. */
export const telegram = gatewayKind({
  kind: "telegram",
  channels: ["telegram"],
  environments: ["live"],
  settings: TelegramSettings,
  secrets: TelegramSecrets,
  errors: telegramErrors,
  create: createTelegramGateway,
  callbacks: {
    verify: (request, { secrets }) => verifyTelegram(request, secrets.secret_token),
    read: readTelegram,
  },
  inbound: telegramInbound,
  fileOf: telegramFile,
  // Both are built into its connections.
  rebuiltBy: ["max_concurrent", "timeout_ms"],
  // There is no way to ask by a reference of ours.
  asks: false,
  hasBreaker: true,
  keepsLists: true,
});
