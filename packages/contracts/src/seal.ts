import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

/**
 * Secrets that events must carry are sealed with AES-256-GCM (NIST SP 800-38D) under the platform's master key, so that the log,
 * its backups and its readers never hold them plain. Form: `v1.` + base64url(12-byte nonce ‖ ciphertext ‖ 16-byte tag).
 */
const nonceBytes = 12;
const tagBytes = 16;

/** The key that seals and signs. While a rotation is under way `other` is the second one, old or new: what that one sealed or signed is taken too. */
export type MasterKey = Buffer & { readonly other?: Buffer };

export const masterKeyOf = (key: Buffer, other: Buffer | undefined): MasterKey =>
  other === undefined ? key : Object.assign(Buffer.from(key), { other });

/** Those that may have sealed or signed what is read, the one that does so now first. */
export const keysOf = (masterKey: MasterKey): readonly Buffer[] =>
  masterKey.other === undefined
    ? [masterKey]
    : // The first alone: given as it is it would stand for both.
      [masterKey.subarray(), masterKey.other];

/** What the first of two keys opens, else the second. Throws what the last one said. */
export function openedByOne<Key, Opened>(keys: readonly Key[], open: (key: Key) => Opened): Opened {
  const [first, second] = keys;
  if (second === undefined) return open(first!);
  try {
    return open(first!);
  } catch {
    return open(second);
  }
}

/** A new webhook secret in the form of Standard Webhooks 1.0: `whsec_` + base64 of 32 random bytes (24–64 are allowed). */
export const newSecret = (bytes: Uint8Array = randomBytes(32)): string =>
  `whsec_${Buffer.from(bytes).toString("base64")}`;

/** Seals a text under the master key (32 bytes). Sealing the same text twice gives two different results. */
export function sealSecret(masterKey: Buffer, secret: string): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", masterKey, nonce);
  const sealed = Buffer.concat([
    nonce,
    cipher.update(secret, "utf8"),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return `v1.${sealed.toString("base64url")}`;
}

/** Opens what sealSecret sealed. Throws when the text was changed or the master key is another one. */
export function openSecret(masterKey: MasterKey, sealed: string): string {
  if (!sealed.startsWith("v1.")) throw new Error("a sealed secret begins with v1.");
  const bytes = Buffer.from(sealed.slice(3), "base64url");
  if (bytes.length < nonceBytes + tagBytes) throw new Error("a sealed secret is too short");
  return openedByOne(keysOf(masterKey), (key) => openedBy(key, bytes));
}

function openedBy(masterKey: Buffer, bytes: Buffer): string {
  const decipher = createDecipheriv("aes-256-gcm", masterKey, bytes.subarray(0, nonceBytes));
  decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes));
  const text = Buffer.concat([
    decipher.update(bytes.subarray(nonceBytes, bytes.length - tagBytes)),
    decipher.final(),
  ]);
  return text.toString("utf8");
}
