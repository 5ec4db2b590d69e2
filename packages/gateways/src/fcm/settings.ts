import { createPrivateKey, type KeyObject } from "node:crypto";
import { z } from "zod";
import { BaseUrl } from "../base-url.ts";
import { jsonIn } from "../json-in.ts";

/** What stands readable in the log. */
export const FcmSettings = z.strictObject({
  /** Where the API is, when it is not at Google's. */
  base_url: BaseUrl.optional(),
  /** Where access tokens are given, when it is elsewhere than the key file says. */
  token_url: BaseUrl.optional(),
  project_id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.:-]{0,99}$/, "project_id must be that of the Firebase project"),
});
export type FcmSettings = z.infer<typeof FcmSettings>;

/** What of the key file is used. */
export type ServiceAccount = {
  readonly email: string;
  readonly keyId: string | undefined;
  readonly key: KeyObject;
  readonly tokenUri: string;
};

const defaultTokenUri = "https://oauth2.googleapis.com/token";
const KeyFile = z.object({
  client_email: z.string().min(3).max(320),
  private_key_id: z.string().max(200).optional(),
  private_key: z.string().min(1).max(9_000),
  token_uri: BaseUrl.default(defaultTokenUri),
});

/** Undefined for what is no private key of RSA. */
function rsaKey(pem: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(pem);
    return key.asymmetricKeyType === "rsa" ? key : undefined;
  } catch {
    return undefined;
  }
}

export const FcmSecrets = z.strictObject({
  /** The key file of a service account, as Google gives it: JSON as text. What is wrong with it is said without quoting it. */
  service_account: z.string().transform((text, context): ServiceAccount => {
    const file = KeyFile.safeParse(jsonIn(text)).data;
    const key = file && rsaKey(file.private_key);
    if (key !== undefined)
      return {
        email: file!.client_email,
        keyId: file!.private_key_id,
        key,
        tokenUri: file!.token_uri,
      };
    const message =
      file === undefined
        ? "service_account must be the JSON key file of a service account"
        : "private_key of service_account must be a private key of RSA in PEM";
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  }),
});
export type FcmSecrets = z.infer<typeof FcmSecrets>;
