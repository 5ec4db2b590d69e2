import { crc32 } from "node:zlib";
import type { Environment } from "./ids.ts";

/** API keys: `ak_live_`, `ak_test_`, or `ak_admin_` of operators; 30 random base62 characters (178 bits), then the CRC-32 of all that precedes in 6 base62 characters. Tokens of sessions are made alike. */
const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const randomLength = 30;
const checksumLength = 6;
const environmentNames = { live: "live", sandbox: "test" } as const satisfies Record<
  Environment,
  string
>;
const shape = /^ak_(live|test|admin)_[0-9A-Za-z]{36}$/;
const adminStart = "ak_admin_";
const tokenShape = /^(as|ar)_(live|test)_[0-9A-Za-z]{36}$/;

function checksum(text: string): string {
  let value = crc32(text);
  let out = "";
  for (let index = 0; index < checksumLength; index++) {
    out = digits[value % 62] + out;
    value = Math.floor(value / 62);
  }
  return out;
}

/** The random source skips bytes from 248 up, because 256 is no multiple of 62 and the remainder would favour some characters. */
function make(prefix: string, randomBytes: (size: number) => Uint8Array): string {
  let random = "";
  while (random.length < randomLength)
    for (const byte of randomBytes(64)) {
      if (byte >= 248) continue;
      random += digits[byte % 62];
      if (random.length === randomLength) break;
    }
  const body = prefix + random;
  return body + checksum(body);
}

const isWhole = (text: string): boolean =>
  checksum(text.slice(0, -checksumLength)) === text.slice(-checksumLength);

/** What a key is for: one environment, or the administration of the installation. */
export type KeyKind = Environment | "admin";

/**
 * A new key. `randomBytes(size)` gives uniform bytes (`node:crypto`'s, or a derivation where a retry must make the same key).
 */
export const makeKey = (kind: KeyKind, randomBytes: (size: number) => Uint8Array): string =>
  make(kind === "admin" ? adminStart : `ak_${environmentNames[kind]}_`, randomBytes);

/** The environment a well-formed key belongs to, live for an admin key; undefined when the shape or the checksum is wrong, so that no look-up is spent on it. */
export function parseKey(text: string): Environment | undefined {
  if (!shape.test(text) || !isWhole(text)) return undefined;
  return text.startsWith("ak_test_") ? "sandbox" : "live";
}

/** Whether a key, or what is shown of it, is one that reaches the administration and nothing else. */
export const isAdminKey = (keyOrPrefix: string): boolean => keyOrPrefix.startsWith(adminStart);

/** Tokens of a session: `as_…` opens the API for a short time, `ar_…` gets the next two. */
export type TokenKind = "access" | "refresh";
const tokenPrefixes = { access: "as", refresh: "ar" } as const satisfies Record<TokenKind, string>;

/** A new token of a session. */
export const makeToken = (
  kind: TokenKind,
  environment: Environment,
  randomBytes: (size: number) => Uint8Array,
): string => make(`${tokenPrefixes[kind]}_${environmentNames[environment]}_`, randomBytes);

/** The environment a well-formed token of this kind belongs to, undefined for any other text. */
export function parseToken(kind: TokenKind, text: string): Environment | undefined {
  const match = tokenShape.exec(text);
  if (match === null || match[1] !== tokenPrefixes[kind] || !isWhole(text)) return undefined;
  return match[2] === "live" ? "live" : "sandbox";
}

/** What may be shown of a key after it was issued: prefix and four characters. */
export const keyPrefix = (key: string): string =>
  key.slice(0, (isAdminKey(key) ? adminStart : "ak_live_").length + 4);
