import { z } from "zod";
import { BaseUrl } from "../base-url.ts";

/** What stands readable in the log. */
export const TelegramSettings = z.strictObject({
  /** Of a Bot API server of one's own. */
  base_url: BaseUrl.optional(),
});
export type TelegramSettings = z.infer<typeof TelegramSettings>;

export const TelegramSecrets = z.strictObject({
  /** As @BotFather gives it. It stands in the path of every call, so nothing shows an address. */
  bot_token: z
    .string()
    .regex(/^\d{1,16}:[\w-]{1,100}$/, "bot_token must be that of the bot, 123456:ABC…"),
  /** What Telegram sends along with each update (Bot API, `setWebhook`). */
  secret_token: z
    .string()
    .regex(/^[\w-]{1,256}$/, "secret_token must be 1 to 256 of A-Z, a-z, 0-9, _ and -"),
});
export type TelegramSecrets = z.infer<typeof TelegramSecrets>;
