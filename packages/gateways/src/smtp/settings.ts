import { createPrivateKey, createPublicKey } from "node:crypto";
import { parseEmail, parseMailbox } from "@heliograph/channels";
import { z } from "zod";
import type { ConfigurationFault } from "../descriptor.ts";
import { networkOf } from "./networks.ts";
import { snsHost } from "./sns-addresses.ts";

const isSmtpUrl = (text: string): boolean =>
  URL.canParse(text) && /^smtps?:\/\/./.test(text) && new URL(text).password === "";

function isPrivateKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).type === "private";
  } catch {
    return false;
  }
}

/** As SendGrid shows it: base64 of the key in DER, which is on the curve that its signatures are made with. */
function isSendgridKey(base64: string): boolean {
  try {
    const key = createPublicKey({
      key: Buffer.from(base64, "base64"),
      format: "der",
      type: "spki",
    });
    return key.asymmetricKeyDetails?.namedCurve === "prime256v1";
  } catch {
    return false;
  }
}

const Mailbox = (name: string): z.ZodType<string> =>
  z
    .string()
    .max(512)
    .refine(
      (text) => parseMailbox(text) !== undefined,
      `${name} must be an address, or a name and an address as in Shop <shop@example.org>`,
    );

/** In the one form, lower-case ASCII; of a return path there must be room for it in an address. */
const maxDomain = 190;
const Domain = (name: string): z.ZodType<string> =>
  z
    .string()
    .max(maxDomain)
    .refine(
      (text) => parseEmail(`postmaster@${text}`)?.domain === text,
      `${name} must be a domain in lower case, such as bounces.example.org`,
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
  /** By which mail is signed; the private key is a secret. */
  dkim: z
    .strictObject({
      domain: Domain("dkim.domain"),
      selector: z
        .string()
        .max(63)
        .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/i, "dkim.selector must be a label of DNS"),
    })
    .optional(),
  /** Where mail that cannot be delivered comes back to: its MX leads to our listener. */
  return_path_domain: Domain("return_path_domain").optional(),
  pool: z
    .strictObject({
      max_connections: z.int().min(1).max(100).optional(),
      max_messages: z.int().min(1).max(10_000).optional(),
    })
    .optional(),
  /** The server in front of our listener that checks mail: by what name it writes its results, and where it delivers from. */
  authenticated_by: z
    .strictObject({
      authserv_id: z
        .string()
        .max(255)
        .regex(/^[a-z0-9._-]+$/, "authenticated_by.authserv_id must be a name in lower case"),
      addresses: z
        .array(
          z
            .string()
            .refine(
              (text) => networkOf(text) !== undefined,
              "authenticated_by.addresses must be addresses or networks, such as 10.0.0.5 or 10.1.0.0/16",
            ),
        )
        .min(1)
        .max(50),
    })
    .optional(),
  /** Whose events come to the gateway's callback address. */
  events: z.enum(["ses", "sendgrid"]).optional(),
  /** Those of SNS through which the events of SES come; no other is believed. */
  sns_topics: z
    .array(
      z
        .string()
        .refine(
          (text) => snsHost(text) !== undefined,
          "sns_topics must be ARNs of topics, such as arn:aws:sns:eu-west-1:123456789012:mail",
        ),
    )
    .min(1)
    .max(20)
    .optional(),
  /** Which SendGrid signs its events with. */
  sendgrid_public_key: z
    .string()
    .max(1_000)
    .refine(
      (text) => /^[\w+/]+={0,2}$/.test(text) && isSendgridKey(text),
      "sendgrid_public_key must be the verification key that SendGrid shows: base64 of a public key on P-256",
    )
    .optional(),
});
export type SmtpSettings = z.infer<typeof SmtpSettings>;

export const SmtpSecrets = z.strictObject({
  password: z.string().max(1_000).optional(),
  dkim_private_key: z
    .string()
    .max(10_000)
    .refine(isPrivateKey, "dkim_private_key must be a private key in PEM, without a password")
    .optional(),
});
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

/** What says whose events are genuine, by whose they are. */
const trusted = { ses: "sns_topics", sendgrid: "sendgrid_public_key" } as const;

/** What needs the other: a signature and its key, events and what tells whether they are genuine. */
export const smtpFault = (
  settings: SmtpSettings,
  { dkim_private_key: key }: SmtpSecrets,
): ConfigurationFault | undefined => {
  const { dkim, events } = settings;
  if (dkim !== undefined && key === undefined)
    return { path: "secrets.dkim_private_key", message: "is required with settings.dkim" };
  if (dkim === undefined && key !== undefined)
    return { path: "settings.dkim", message: "is required with secrets.dkim_private_key" };
  for (const name of ["ses", "sendgrid"] as const) {
    const field = trusted[name];
    const isGiven = settings[field] !== undefined;
    if (isGiven && events !== name)
      return { path: `settings.${field}`, message: `is for settings.events "${name}"` };
    if (!isGiven && events === name)
      return { path: `settings.${field}`, message: `is required with settings.events "${name}"` };
  }
  return undefined;
};
