import { createHmac, timingSafeEqual } from "node:crypto";

/** Time-based one-time passwords (RFC 6238) as every app makes them: SHA-1, 30 seconds, six digits. */
const stepSeconds = 30;
const digits = 6;
/** Steps before and after the present one whose codes are taken: clocks differ, and typing takes time (§5.2). */
const drift = 1;
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The code of a step (RFC 4226 §5.3). */
export function codeOf(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", secret).update(counter).digest();
  const offset = mac[mac.length - 1]! & 15;
  const number = mac.readUInt32BE(offset) & 0x7fffffff;
  return String(number % 10 ** digits).padStart(digits, "0");
}

export const stepAt = (now: number): number => Math.floor(now / 1000 / stepSeconds);

/** The latest step within the drift whose code this is; undefined when it is none's. */
export function stepOf(secret: Uint8Array, code: string, now: number): number | undefined {
  const present = stepAt(now);
  for (let step = present + drift; step >= present - drift; step--)
    if (
      code.length === digits &&
      timingSafeEqual(Buffer.from(codeOf(secret, step)), Buffer.from(code.slice(0, digits)))
    )
      return step;
  return undefined;
}

/** Base32 (RFC 4648) without padding, which is how apps take secrets. */
export function base32(bytes: Uint8Array): string {
  let text = "";
  let value = 0;
  let bits = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(value >> bits) & 31];
    }
  }
  return bits > 0 ? text + alphabet[(value << (5 - bits)) & 31] : text;
}

/** The address that apps read from a picture (Key Uri Format of Google Authenticator). */
export function totpUri(secret: Uint8Array, email: string): string {
  const query = new URLSearchParams({ secret: base32(secret), issuer: "Heliograph" }).toString();
  return `otpauth://totp/${encodeURIComponent(`Heliograph:${email}`)}?${query}`;
}
