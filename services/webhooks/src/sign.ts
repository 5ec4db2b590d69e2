import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  hkdfSync,
  sign as signWith,
  type KeyObject,
} from "node:crypto";
import { keysOf, type MasterKey } from "@heliograph/contracts";
import type { Endpoint } from "@heliograph/domain";
import { nameFault, valueFault, type Headers } from "./headers.ts";

/** What signs until a time (epoch ms), the current secret's without end. */
export type SigningKey = {
  readonly key: KeyObject;
  readonly expiresAt: number;
  /** Ed25519, for endpoints that have a public key too: one of each master key that is given, since receivers know the one of before. */
  readonly privateKeys?: readonly KeyObject[];
  /** The whole text of the secret, for endpoints with a timestamped signature. */
  readonly textKey?: KeyObject;
};

/** How an endpoint wants to be signed to, beside `v1`. */
export type Signatures = Pick<
  Endpoint,
  "id" | "asymmetric_signature" | "timestamped_signature_header"
>;

/** The keys of a secret. The HMAC key is inside `whsec_<base64>` (Standard Webhooks 1.0, "Signature scheme"). */
export function signingKey(
  secret: string,
  expiresAt = Infinity,
  signatures?: Signatures,
  masterKey?: MasterKey,
): SigningKey {
  if (!secret.startsWith("whsec_")) throw new Error("a webhook secret begins with whsec_");
  return {
    key: createSecretKey(Buffer.from(secret.slice(6), "base64")),
    expiresAt,
    ...(signatures?.asymmetric_signature === true && {
      privateKeys: keysOf(masterKey!).map((key) => privateKeyOf(key, signatures.id, secret)),
    }),
    ...(signatures?.timestamped_signature_header !== undefined && {
      textKey: createSecretKey(Buffer.from(secret)),
    }),
  };
}

/** RFC 8410: what stands before the 32 bytes of a key in its DER form. */
const privatePrefix = Buffer.from("302e020100300506032b657004220420", "hex");
const publicBytes = 32;

/**
 * The Ed25519 key that stands beside a secret: it follows from the secret, so a rotation makes a new one and an overlap keeps both, and from the master key, so
 * that who has the secret, a receiver, cannot sign.
 */
function privateKeyOf(masterKey: Buffer, endpointId: string, secret: string): KeyObject {
  const info = `heliograph webhook ed25519 ${endpointId}`;
  const seed = hkdfSync("sha256", masterKey, secret, info, 32);
  return createPrivateKey({
    key: Buffer.concat([privatePrefix, Buffer.from(seed)]),
    format: "der",
    type: "pkcs8",
  });
}

/** `whpk_<base64>` (Standard Webhooks 1.0): what verifies the `v1a` of a secret. */
export function publicKeyOf(masterKey: Buffer, endpointId: string, secret: string): string {
  const key = createPublicKey(privateKeyOf(masterKey, endpointId, secret));
  const der = key.export({ format: "der", type: "spki" });
  return `whpk_${der.subarray(-publicBytes).toString("base64")}`;
}

/**
 * The value of `webhook-signature`: HMAC-SHA256 over `id.timestamp.body`, one `v1,<base64>` per key that is still valid, apart by spaces, so that a
 * receiver that knows either secret accepts; and Ed25519 over the same as `v1a,<base64>` where there is a key for it. `seconds` is the `webhook-timestamp`.
 */
export function sign(
  keys: readonly SigningKey[],
  id: string,
  seconds: number,
  body: string,
): string {
  const signed = `${id}.${seconds}.${body}`;
  let value = "";
  for (const { key, expiresAt, privateKeys = [] } of keys) {
    if (expiresAt <= seconds * 1000) continue;
    const signature = createHmac("sha256", key).update(signed).digest("base64");
    value += value === "" ? `v1,${signature}` : ` v1,${signature}`;
    for (const privateKey of privateKeys)
      value += ` v1a,${signWith(null, Buffer.from(signed), privateKey).toString("base64")}`;
  }
  return value;
}

/**
 * The value of a timestamped signature, `t=<seconds>,v1=<hex>`, as receivers of other platforms know it: HMAC-SHA256 over `timestamp.body` with the whole text
 * of the secret as the key, one `v1=` per key that is still valid.
 */
export function signTimestamped(
  keys: readonly SigningKey[],
  seconds: number,
  body: string,
): string {
  let value = `t=${seconds}`;
  for (const { textKey, expiresAt } of keys)
    if (textKey !== undefined && expiresAt > seconds * 1000)
      value += `,v1=${createHmac("sha256", textKey).update(`${seconds}.${body}`).digest("hex")}`;
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
