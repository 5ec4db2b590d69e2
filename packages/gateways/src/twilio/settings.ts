import { z } from "zod";
import { BaseUrl } from "../base-url.ts";
import { BillableCodes } from "../failure.ts";

/** What stands readable in the log. */
export const TwilioSettings = z.strictObject({
  /** Of a provider with the same interface, or a region of Twilio's. */
  base_url: BaseUrl.optional(),
  account_sid: z.string().regex(/^[\w-]{1,64}$/, "account_sid must be that of the account, AC…"),
  /** The sender of messages that name none. */
  from: z.string().min(1).max(64).optional(),
  /** Chooses the sender of messages that name none; before `from`. */
  messaging_service_sid: z.string().min(1).max(64).optional(),
  /** Codes of undelivered messages whose price is not given back, beside those of this release. */
  billable: BillableCodes.optional(),
});
export type TwilioSettings = z.infer<typeof TwilioSettings>;

export const TwilioSecrets = z.strictObject({ auth_token: z.string().min(1).max(1_000) });
export type TwilioSecrets = z.infer<typeof TwilioSecrets>;
