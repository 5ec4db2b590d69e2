import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { nameFault, valueFault, type Headers } from "./headers.ts";

/** A key that signs until a time (epoch ms), the current one without end. */
export type SigningKey = { readonly key: KeyObject; readonly expiresAt: number };

/** The HMAC key inside `whsec_<base64>` (Standard Webhooks 1.0, "Signature scheme"). */
export function signingKey(secret: string, expiresAt = Infinity): SigningKey {
  if (!secret.startsWith("whsec_")) throw new Error("a webhook secret begins with whsec_");
  return { key: createSecretKey(Buffer.from(secret.slice(6), "base64")), expiresAt };
}

/**
 * The value of `webhook-signature`: HMAC-SHA256 over `id.timestamp.body`, one `v1,<base64>` per key that is still valid, apart by spaces, so that a
 * receiver that knows either secret accepts. `seconds` is the `webhook-timestamp`.
 */
export function sign(
  keys: readonly SigningKey[],
  id: string,
  seconds: number,
  body: string,
): string {
  const signed = `${id}.${seconds}.${body}`;
  let value = "";
  for (const { key, expiresAt } of keys) {
    if (expiresAt <= seconds * 1000) continue;
    const signature = createHmac("sha256", key).update(signed).digest("base64");
    value += value === "" ? `v1,${signature}` : ` v1,${signature}`;
  }
  return value;
}

export const fixedHeaders: Headers = {
  "content-type": "application/json",
  "user-agent": "Heliograph-Webhooks/1.0",
};

/**
 * Request line and the headers that every request of an endpoint carries. An endpoint's own headers that are refused today, but were taken once, are left out;
 * the URL parser has escaped whatever could break a line.
 */
export function requestHead(url: URL, custom: Headers): string {
  let head = `POST ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n`;
  for (const [name, value] of Object.entries(fixedHeaders)) head += `${name}: ${value}\r\n`;
  for (const [name, value] of Object.entries(custom))
    if (nameFault(name) === undefined && valueFault(value.trim()) === undefined)
      head += `${name.toLowerCase()}: ${value.trim()}\r\n`;
  return head;
}
