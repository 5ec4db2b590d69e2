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
const gcm = { authTagLength: tagBytes };

/** What stands for a text whose key was destroyed. */
export const erasedText = "[erased]";

/** Finds tokens in a text that holds other things too. Base64url needs no escape in JSON. */
export const tokenPattern = /sealed:v1\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{38,})/g;

/** Whether there may be a token in a text: most have none, and are spared the search for it. */
export const mayHoldTokens = (text: string): boolean => text.includes(prefix);

/** Puts `[sealed]` in the place of tokens, for readers that no erasure reaches. */
export const hideTokens = (text: string): string =>
  mayHoldTokens(text) ? text.replaceAll(tokenPattern, "[sealed]") : text;

export const packId = (uuid: string): string =>
  Buffer.from(uuid.replaceAll("-", ""), "hex").toString("base64url");

export function unpackId(packed: string): string {
  const hex = Buffer.from(packed, "base64url").toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

const wholeToken = /^sealed:v1\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{38,}$/;
const idEnd = prefix.length + 22;

/** Whether the whole text is a token. */
export const isSealed = (text: unknown): text is Sealed =>
  typeof text === "string" && text.startsWith(prefix) && wholeToken.test(text);

/** The packed id of the key that a token needs. */
export const packedIdOf = (token: Sealed): string => token.slice(prefix.length, idEnd);

/** The id of the key that a token needs; undefined for a text that is no token. */
export const keyIdOf = (token: string): string | undefined =>
  isSealed(token) ? unpackId(packedIdOf(token)) : undefined;

/** A key with what each of its texts needs again, made once: a text takes twice the cipher's own time otherwise. */
export type TokenKey = { readonly key: KeyObject; readonly head: string; readonly bound: Buffer };

export function tokenKey(packedId: string, key: KeyObject): TokenKey {
  return { key, head: `${prefix}${packedId}.`, bound: Buffer.from(packedId) };
}

/** Random bytes cost the same for one nonce as for many. */
const noncesAtOnce = 256;
let nonces = Buffer.alloc(0);
let noncesUsed = 0;
function newNonce(): Buffer {
  if (noncesUsed === nonces.length) {
    nonces = randomBytes(noncesAtOnce * nonceBytes);
    noncesUsed = 0;
  }
  return nonces.subarray(noncesUsed, (noncesUsed += nonceBytes));
}

/** Seals a text. Twice the same text gives two tokens. */
export function sealText({ key, head, bound }: TokenKey, text: string): Sealed {
  const nonce = newNonce();
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(bound);
  const sealed = cipher.update(text, "utf8");
  // GCM keeps nothing back: what is left is the tag.
  cipher.final();
  return head + Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString("base64url");
}

/** Opens a token with its key. Throws when it was changed. */
export function openText({ key, bound }: TokenKey, token: Sealed): string {
  const bytes = Buffer.from(token.slice(idEnd + 1), "base64url");
  const tagAt = bytes.length - tagBytes;
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceBytes), gcm)
    .setAAD(bound)
    .setAuthTag(bytes.subarray(tagAt));
  const text = decipher.update(bytes.subarray(nonceBytes, tagAt));
  decipher.final();
  return text.toString("utf8");
}
