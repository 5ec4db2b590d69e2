import { generateKeyPairSync, sign } from "node:crypto";
import type { CallbackRequest } from "../src/index.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

/** As SendGrid shows it. */
export const sendgridPublicKey = publicKey
  .export({ format: "der", type: "spki" })
  .toString("base64");

const seconds = (): number => Math.floor(Date.now() / 1_000);

/** Events as SendGrid posts them, with CRLF at the end, signed now or at another time. */
export function postedEvents(events: readonly object[] | string, at = seconds()): CallbackRequest {
  const body = Buffer.from(typeof events === "string" ? events : `${JSON.stringify(events)}\r\n`);
  const signature = sign("sha256", Buffer.concat([Buffer.from(String(at)), body]), privateKey);
  return {
    method: "POST",
    url: "https://api.example.com/api/v1/callbacks/gtw_1/token",
    headers: {
      "content-type": "application/json",
      "x-twilio-email-event-webhook-signature": signature.toString("base64"),
      "x-twilio-email-event-webhook-timestamp": String(at),
    },
    body,
  };
}
