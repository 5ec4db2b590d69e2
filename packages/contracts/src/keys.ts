import { crc32 } from "node:zlib";
import type { Environment } from "./ids.ts";

/** API keys: `ak_live_` or `ak_test_`, 30 random base62 characters (178 bits), then the CRC-32 of all that precedes in 6 base62 characters. */
const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const randomLength = 30;
const checksumLength = 6;
const prefixes = { live: "ak_live_", sandbox: "ak_test_" } as const satisfies Record<
  Environment,
  string
>;
const shape = /^ak_(live|test)_[0-9A-Za-z]{36}$/;

function checksum(text: string): string {
  let value = crc32(text);
  let out = "";
  for (let index = 0; index < checksumLength; index++) {
    out = digits[value % 62] + out;
    value = Math.floor(value / 62);
  }
  return out;
}

/**
 * A new key. `randomBytes(size)` gives uniform bytes (`node:crypto`'s, or a derivation where a retry must make the same key);
 * bytes from 248 up are skipped, because 256 is no multiple of 62 and the remainder would favour some characters.
 */
export function makeKey(
  environment: Environment,
  randomBytes: (size: number) => Uint8Array,
): string {
  let random = "";
  while (random.length < randomLength)
    for (const byte of randomBytes(64)) {
      if (byte >= 248) continue;
      random += digits[byte % 62];
      if (random.length === randomLength) break;
    }
  const body = prefixes[environment] + random;
  return body + checksum(body);
}

/** The environment a well-formed key belongs to; undefined when the shape or the checksum is wrong, so that no look-up is spent on it. */
export function parseKey(text: string): Environment | undefined {
  if (!shape.test(text)) return undefined;
  const body = text.slice(0, -checksumLength);
  if (checksum(body) !== text.slice(-checksumLength)) return undefined;
  return text.startsWith(prefixes.live) ? "live" : "sandbox";
}

/** What may be shown of a key after it was issued: prefix and four characters. */
export const keyPrefix = (key: string): string => key.slice(0, 12);
