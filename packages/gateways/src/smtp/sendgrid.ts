import { verify } from "node:crypto";
import type { CallbackRequest, Verdict } from "../callbacks.ts";

/** SendGrid posts again for a day what it could not deliver; what was taken once is stored once, so an old copy changes nothing. */
const maxAgeMs = 25 * 3_600_000;
/** So much may its clock be ahead of ours. */
const maxAheadMs = 300_000;
/** The one signature that an event carries has some 70 bytes. */
const maxSignature = 200;

/** What SendGrid gives back in every event of a mail. It tells of clicks, complaints and the like without the Message-ID. */
export const sendgridArgument = "heliograph_mail_id";

/** Taken out by SendGrid before it passes the mail on. It is JSON in ASCII, which no mailer may make encoded words of. */
export const sendgridHeaders = (mailId: string): Readonly<Record<string, object>> => ({
  "X-SMTPAPI": {
    prepared: true,
    foldLines: false,
    value: JSON.stringify({ unique_args: { [sendgridArgument]: mailId } }),
  },
});

/**
 * Whether SendGrid sent a request (Event Webhook, "Signed Event Webhook Requests"): ECDSA on P-256 with SHA-256 over the time of the request and the body as it came.
 */
export function verifySendgrid(
  { method, headers, body }: CallbackRequest,
  publicKey: string | undefined,
): Verdict {
  const signature = headers["x-twilio-email-event-webhook-signature"] ?? "";
  const timestamp = headers["x-twilio-email-event-webhook-timestamp"] ?? "";
  if (publicKey === undefined || method !== "POST" || signature.length > maxSignature)
    return { kind: "forged" };
  const age = /^\d{1,11}$/.test(timestamp) ? Date.now() - Number(timestamp) * 1_000 : Infinity;
  if (age > maxAgeMs || age < -maxAheadMs) return { kind: "forged" };
  const key = { key: Buffer.from(publicKey, "base64"), format: "der", type: "spki" } as const;
  const signed = Buffer.concat([Buffer.from(timestamp), body]);
  const isSigned = verify("sha256", signed, key, Buffer.from(signature, "base64"));
  return { kind: isSigned ? "genuine" : "forged" };
}
