import { createHmac, timingSafeEqual } from "node:crypto";
import { WebhookVerificationError } from "./errors.ts";
import type { LifecycleEvent } from "./made/types.ts";

/** Of Node's server, of fetch, or plain. */
export type WebhookHeaders =
  | Headers
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** Older or newer than this is refused, so that a recorded request cannot be sent again later. */
const toleranceSeconds = 300;
const prefix = "whsec_";
/** Nobody signs with more secrets than three; more than this is an attempt to keep us busy. */
const mostSignatures = 20;

function keyOf(secret: string): Buffer {
  const text = secret.startsWith(prefix) ? secret.slice(prefix.length) : "";
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text))
    throw new TypeError("a webhook secret is whsec_ and base64");
  return Buffer.from(text, "base64");
}

function headerOf(headers: WebhookHeaders, name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  return typeof found === "string" ? found : undefined;
}

const mac = (secret: string, id: string, timestamp: string, body: string | Uint8Array): Buffer =>
  createHmac("sha256", keyOf(secret)).update(`${id}.${timestamp}.`).update(body).digest();

type VerifyOptions = { readonly toleranceSeconds?: number; readonly nowMs?: number };

/** What a request says. A parsed body cannot be verified, because nothing writes it again just as it was. */
function verified(
  body: string | Uint8Array,
  headers: WebhookHeaders,
  secrets: string | readonly string[],
  options: VerifyOptions,
): unknown {
  if (typeof body !== "string" && !(body instanceof Uint8Array))
    throw new TypeError(
      "raw bytes needed: give the body as it came, before a JSON parser (in Express: express.raw)",
    );
  const id = headerOf(headers, "webhook-id");
  const timestamp = headerOf(headers, "webhook-timestamp");
  const given = headerOf(headers, "webhook-signature");
  const refused = (why: string) => new WebhookVerificationError(why);
  if (!id || !timestamp || !given)
    throw refused("webhook-id, webhook-timestamp or webhook-signature is missing");
  if (!/^\d{1,12}$/.test(timestamp)) throw refused("webhook-timestamp is no time");
  const nowSeconds = (options.nowMs ?? Date.now()) / 1000;
  if (!(Math.abs(nowSeconds - Number(timestamp)) <= (options.toleranceSeconds ?? toleranceSeconds)))
    throw refused("webhook-timestamp is too far from now");
  const known = typeof secrets === "string" ? [secrets] : secrets;
  const expected = known.map((secret) => mac(secret, id, timestamp, body));
  const signatures = given
    .split(" ", mostSignatures)
    .flatMap((part) => (part.startsWith("v1,") ? [Buffer.from(part.slice(3), "base64")] : []));
  // Every pair is compared, whichever is right.
  let isGenuine = false;
  for (const signature of signatures)
    for (const one of expected)
      if (signature.length === one.length && timingSafeEqual(signature, one)) isGenuine = true;
  if (!isGenuine) throw refused("no signature is by one of the secrets");
  return JSON.parse(typeof body === "string" ? body : new TextDecoder().decode(body));
}

/**
 * The event of a webhook's request, when one of the secrets signed it (Standard Webhooks 1.0, `v1`). `body` is what came, byte for byte. Throws `WebhookVerificationError` for a request that is not
 * genuine or is older or newer than the tolerance, and `TypeError` for a body that is not raw, a secret that is none, and a batch, which `verifyWebhookBatch` reads.
 */
export const verifyWebhook = (
  body: string | Uint8Array,
  headers: WebhookHeaders,
  secrets: string | readonly string[],
  options: VerifyOptions = {},
): LifecycleEvent => {
  const said = verified(body, headers, secrets, options);
  if (isBatch(said)) throw new TypeError("a batch of events: verifyWebhookBatch gives them all");
  return said as LifecycleEvent;
};

type Batch = { readonly events: readonly LifecycleEvent[] };
const isBatch = (said: unknown): said is Batch =>
  typeof said === "object" && said !== null && Array.isArray((said as Partial<Batch>).events);

/** The events of a request, the oldest first, of an endpoint that takes batches or takes none: one while you change over. Throws as `verifyWebhook` does. */
export function verifyWebhookBatch(
  body: string | Uint8Array,
  headers: WebhookHeaders,
  secrets: string | readonly string[],
  options: VerifyOptions = {},
): readonly LifecycleEvent[] {
  const said = verified(body, headers, secrets, options);
  return isBatch(said) ? said.events : [said as LifecycleEvent];
}

/** The headers with which the platform would send this body: for tests of a receiver of yours. */
export function signWebhook(
  body: string | Uint8Array,
  secret: string,
  { id, nowMs = Date.now() }: { readonly id: string; readonly nowMs?: number },
): Readonly<Record<"webhook-id" | "webhook-timestamp" | "webhook-signature", string>> {
  const timestamp = String(Math.floor(nowMs / 1000));
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${mac(secret, id, timestamp, body).toString("base64")}`,
  };
}
