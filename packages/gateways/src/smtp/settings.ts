import { parseMailbox } from "@heliograph/channels";
import { z } from "zod";

const isSmtpUrl = (text: string): boolean =>
  URL.canParse(text) && /^smtps?:\/\/./.test(text) && new URL(text).password === "";

const Mailbox = (name: string): z.ZodType<string> =>
  z
    .string()
    .max(512)
    .refine(
      (text) => parseMailbox(text) !== undefined,
      `${name} must be an address, or a name and an address as in Shop <shop@example.org>`,
    );

/** What stands readable in the log. */
export const SmtpSettings = z.strictObject({
  url: z
    .string()
    .max(2_000)
    .refine(isSmtpUrl, "url must be smtp:// or smtps:// with a host and without a password"),
  /** The sender of messages that name none. */
  from: Mailbox("from").optional(),
  /** Where answers go to messages that name nothing. */
  reply_to: Mailbox("reply_to").optional(),
});
export type SmtpSettings = z.infer<typeof SmtpSettings>;

export const SmtpSecrets = z.strictObject({ password: z.string().max(1_000).optional() });
export type SmtpSecrets = z.infer<typeof SmtpSecrets>;

/** An entry of HELIOGRAPH_SMTP_URL, `smtp://user:password@host:port/?from=…`, in parts; other parameters are nodemailer's and stay. */
export function splitUrl(text: string): {
  readonly settings: SmtpSettings;
  readonly secrets: { readonly password?: string };
} {
  const url = new URL(text);
  const from = url.searchParams.get("from");
  const replyTo = url.searchParams.get("reply_to");
  url.searchParams.delete("from");
  url.searchParams.delete("reply_to");
  const { password } = url;
  url.password = "";
  return {
    settings: {
      url: url.href,
      ...(from === null ? {} : { from }),
      ...(replyTo === null ? {} : { reply_to: replyTo }),
    },
    secrets: password === "" ? {} : { password: decoded(password) },
  };
}

/** The URL with its password again. */
export function joinUrl({ url }: SmtpSettings, { password }: SmtpSecrets): string {
  if (password === undefined) return url;
  const joined = new URL(url);
  joined.password = encodeURIComponent(password);
  return joined.href;
}

/** A password with a bare % is taken as it is written. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
