import { createHmac, timingSafeEqual } from "node:crypto";
import { keysOf, type MasterKey } from "@heliograph/contracts";

/** A person takes longer to fill the form in; whoever takes more than two hours gets it again as it was typed. */
export const [earliestMs, latestMs] = [3_000, 7_200_000];

/** What a form was rendered with: `nonce` is that of one rendering, so that what it sends is taken once. */
export type FormToken =
  | { readonly kind: "good"; readonly nonce: string }
  | { readonly kind: "early"; readonly waitMs: number }
  | { readonly kind: "expired" }
  | { readonly kind: "foreign" };

const form = /^([\da-z]{1,9})\.([\w-]{16})\.[\w-]{43}$/;

export function makeFormToken(masterKey: Buffer, atMs: number, random: Buffer): string {
  const signed = `${atMs.toString(36)}.${random.toString("base64url")}`;
  return `${signed}.${mac(masterKey, signed)}`;
}

export function readFormToken(masterKey: MasterKey, token: string, nowMs: number): FormToken {
  const [, time, nonce] = form.exec(token) ?? [];
  if (time === undefined || nonce === undefined) return { kind: "foreign" };
  const given = Buffer.from(token);
  const isOurs = keysOf(masterKey).some((key) => {
    const own = Buffer.from(`${time}.${nonce}.${mac(key, `${time}.${nonce}`)}`);
    return own.length === given.length && timingSafeEqual(own, given);
  });
  if (!isOurs) return { kind: "foreign" };
  const ageMs = nowMs - Number.parseInt(time, 36);
  if (ageMs < earliestMs) return { kind: "early", waitMs: earliestMs - ageMs };
  return ageMs > latestMs ? { kind: "expired" } : { kind: "good", nonce };
}

/** Bytes of what makes each rendering another one. */
export const nonceBytes = 12;

const mac = (masterKey: Buffer, signed: string): string =>
  createHmac("sha256", masterKey).update(`evaluation form\u001f${signed}`).digest("base64url");
