import { createPrivateKey, createPublicKey, hkdfSync, sign } from "node:crypto";
import type { Environment } from "@heliograph/contracts";

/** What the certificate of an erasure says; its signature is beside it. */
export type Certificate = {
  readonly contact_id: string;
  /** The contact and those that were part of it. */
  readonly contacts: readonly string[];
  readonly environment: Environment;
  readonly erasure_id: string;
  readonly key_destroyed_at: string;
  readonly keys_destroyed: number;
  readonly partner_id: string;
  /** Ed25519, base64url: the `x` of a JWK (RFC 8037). */
  readonly public_key: string;
  readonly requested_at: string;
  readonly statement: string;
};

export const statement =
  "The keys under which the personal data of these contacts was encrypted were destroyed; no copy of the event log can be read with what is left.";

/** The head of a PKCS #8 Ed25519 private key, before its 32 bytes (RFC 8410 §7). */
const pkcs8Head = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * The text of a certificate and its signature: Ed25519 (RFC 8032) by a key that follows from the master key, over the UTF-8 bytes of the JSON in the form of RFC 8785, which for
 * text and whole numbers is: keys sorted, no blanks. Equal facts give equal bytes, so a repetition signs the same.
 */
export function signCertificate(
  masterKey: Buffer,
  facts: Omit<Certificate, "public_key" | "statement">,
): { readonly certificate: string; readonly signature: string } {
  const seed = hkdfSync("sha256", masterKey, "", "heliograph erasure certificate", 32);
  const key = createPrivateKey({
    key: Buffer.concat([pkcs8Head, Buffer.from(seed)]),
    format: "der",
    type: "pkcs8",
  });
  const public_key = createPublicKey(key).export({ format: "jwk" }).x!;
  const whole: Certificate = { ...facts, public_key, statement };
  const sorted = Object.entries(whole).toSorted(([left], [right]) => (left < right ? -1 : 1));
  const certificate = JSON.stringify(Object.fromEntries(sorted));
  return {
    certificate,
    signature: sign(null, Buffer.from(certificate), key).toString("base64url"),
  };
}
