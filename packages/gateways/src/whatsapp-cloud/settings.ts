import { z } from "zod";
import { BaseUrl } from "../base-url.ts";

const MetaId = z.string().regex(/^\d{1,32}$/, "must be an id of Meta's, digits only");

/** What stands readable in the log. */
export const WhatsappSettings = z.strictObject({
  /** Where the Graph API is; with its version, such as `/v23.0`, where it is to be another than this release's. */
  base_url: BaseUrl.optional(),
  /** Of the number that sends: not the number itself. */
  phone_number_id: MetaId,
  business_account_id: MetaId.optional(),
});
export type WhatsappSettings = z.infer<typeof WhatsappSettings>;

export const WhatsappSecrets = z.strictObject({
  access_token: z.string().regex(/^[\x21-\x7e]{1,1000}$/, "access_token must be a token of Meta's"),
  /** What Meta signs callbacks with. */
  app_secret: z.string().min(1).max(256),
  /** What Meta says when it asks whether somebody is there. */
  verify_token: z.string().min(1).max(256),
});
export type WhatsappSecrets = z.infer<typeof WhatsappSecrets>;
