import { createPrivateKey, type KeyObject } from "node:crypto";
import { z } from "zod";
import { BaseUrl } from "../base-url.ts";

const AppleId = z
  .string()
  .regex(/^[A-Za-z0-9]{1,32}$/, "must be letters and digits, as Apple shows it");

/** What stands readable in the log. */
export const ApnsSettings = z.strictObject({
  /** Where APNs is, when it is not the one for apps of the App Store. */
  base_url: BaseUrl.optional(),
  team_id: AppleId,
  /** Of the key that signs. */
  key_id: AppleId,
  /** The bundle id of the app. */
  topic: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,254}$/, "topic must be the bundle id"),
});
export type ApnsSettings = z.infer<typeof ApnsSettings>;

/** Undefined for what is no private key of P-256. */
function p256Key(pem: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(pem);
    return key.asymmetricKeyDetails?.namedCurve === "prime256v1" ? key : undefined;
  } catch {
    return undefined;
  }
}

export const ApnsSecrets = z.strictObject({
  /** The text of the key file (`AuthKey_….p8`). What is wrong with it is said without quoting it. */
  key: z.string().transform((text, context): KeyObject => {
    const key = p256Key(text);
    if (key !== undefined) return key;
    context.addIssue({ code: "custom", message: "key must be the text of Apple's .p8 file" });
    return z.NEVER;
  }),
});
export type ApnsSecrets = z.infer<typeof ApnsSecrets>;
