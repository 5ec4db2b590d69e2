import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from "node:crypto";

/**
 * A sealed text as it stands in events, rows and bodies in place of the plain one: `sealed:v1.` + the key's UUID as 22 characters of base64url + `.` +
 * base64url(12-byte nonce ‖ ciphertext ‖ 16-byte tag), AES-256-GCM (NIST SP 800-38D). The key's id is authenticated too, so a ciphertext opens with
 * no other key's name before it.
 */
export type Sealed = string;

const prefix = "sealed:v1.";
const nonceBytes = 12;
const tagBytes = 16;

/** What stands for a text whose key was destroyed. */
export const erasedText = "[erased]";

/** Finds tokens in a text that holds other things too. Base64url needs no escape in JSON. */
export const tokenPattern = /sealed:v1\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{38,})/g;

/** Whether there may be a token in a text: most have none, and are spared the search for it. */
export const mayHoldTokens = (text: string): boolean => text.includes(prefix);

/** Puts `[sealed]` in the place of tokens, for readers that no erasure reaches. */
export const hideTokens = (text: string): string =>
  mayHoldTokens(text) ? text.replaceAll(tokenPattern, "[sealed]") : text;

const packId = (uuid: string): string =>
  Buffer.from(uuid.replaceAll("-", ""), "hex").toString("base64url");

function unpackId(packed: string): string {
  const hex = Buffer.from(packed, "base64url").toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Whether the whole text is a token. */
export const isSealed = (text: unknown): text is Sealed =>
  typeof text === "string" && text.startsWith(prefix) && keyIdOf(text) !== undefined;

/** The id of the key that a token needs; undefined for a text that is no token. */
export function keyIdOf(token: string): string | undefined {
  if (!token.startsWith(prefix)) return undefined;
  tokenPattern.lastIndex = 0;
  const match = tokenPattern.exec(token);
  return match?.[0].length === token.length ? unpackId(match[1]!) : undefined;
}

/** Seals a text. Twice the same text gives two tokens. */
export function sealText(keyId: string, key: KeyObject, text: string): Sealed {
  const nonce = randomBytes(nonceBytes);
  const id = packId(keyId);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(id));
  const sealed = Buffer.concat([
    nonce,
    cipher.update(text, "utf8"),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return `${prefix}${id}.${sealed.toString("base64url")}`;
}

/** Opens a token with its key. Throws when it was changed. */
export function openText(key: KeyObject, token: Sealed): string {
  const [id, blob] = token.slice(prefix.length).split(".") as [string, string];
  const bytes = Buffer.from(blob, "base64url");
  const tagAt = bytes.length - tagBytes;
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  })
    .setAAD(Buffer.from(id))
    .setAuthTag(bytes.subarray(tagAt));
  return Buffer.concat([
    decipher.update(bytes.subarray(nonceBytes, tagAt)),
    decipher.final(),
  ]).toString("utf8");
}
