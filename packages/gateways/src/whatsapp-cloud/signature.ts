import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { CallbackRequest, Verdict } from "../callbacks.ts";
import type { WhatsappSecrets } from "./settings.ts";

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
const isSame = (one: Buffer, other: Buffer): boolean =>
  one.length === other.length && timingSafeEqual(one, other);

/**
 * Whether Meta sent a request: `X-Hub-Signature-256` is the HMAC-SHA256 of the body as it came under the app's secret. Once, when the address is entered, Meta asks by GET with the token that was entered
 * beside it, and wants its challenge back (Graph API, Webhooks, "Getting started").
 */
export function verifyWhatsapp(
  { method, url, headers, body }: CallbackRequest,
  { app_secret, verify_token }: WhatsappSecrets,
): Verdict {
  if (method === "GET") return handshake(new URL(url).searchParams, verify_token);
  const given = /^sha256=([0-9a-f]{64})$/i.exec(headers["x-hub-signature-256"] ?? "")?.[1] ?? "";
  const expected = createHmac("sha256", app_secret).update(body).digest();
  return { kind: isSame(Buffer.from(given, "hex"), expected) ? "genuine" : "forged" };
}

function handshake(query: URLSearchParams, token: string): Verdict {
  const isMeta = isSame(digest(query.get("hub.verify_token") ?? ""), digest(token));
  const challenge = query.get("hub.challenge") ?? "";
  // It is said back to whoever has the token: nothing but a word may be.
  if (!isMeta || query.get("hub.mode") !== "subscribe" || !/^[\w-]{1,256}$/.test(challenge))
    return { kind: "forged" };
  return { kind: "handshake", answer: { status: 200, contentType: "text/plain", body: challenge } };
}
