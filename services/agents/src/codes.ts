import { hash, randomBytes } from "node:crypto";
import { openSecret } from "@heliograph/contracts";
import { takeRecovery, takeStep } from "@heliograph/platform";
import type pg from "pg";
import { base32, stepOf } from "./totp.ts";

const recoveryCodes = 10;
/** 80 bits: what is stored of them cannot be found by trying. */
const recoveryBytes = 10;

/** `ABCD-EFGH-IJKL-MNOP`, ten of them. */
export const newRecoveryCodes = (): readonly string[] =>
  Array.from({ length: recoveryCodes }, () =>
    base32(randomBytes(recoveryBytes)).replaceAll(/(.{4})(?=.)/g, "$1-"),
  );

/** What is kept of one, however it is typed. */
export const recoveryHash = (code: string): string =>
  hash("sha256", `recovery ${code.toUpperCase().replaceAll(/[^A-Z2-7]/g, "")}`, "hex");

/** The step of a code for a sealed secret, undefined when it is none. */
export const stepOfSealed = (
  masterKey: Buffer,
  sealed: string,
  code: string,
  now: number,
): number | undefined => stepOf(Buffer.from(openSecret(masterKey, sealed), "base64url"), code, now);

/** Uses a code of the app or a recovery code up. Gives whether it was right, and its first use. */
export async function takeCode(
  pool: pg.Pool,
  masterKey: Buffer,
  { agent, totp, code }: { readonly agent: string; readonly totp: string; readonly code: string },
): Promise<boolean> {
  if (!/^\d{6}$/.test(code)) return takeRecovery(pool, agent, recoveryHash(code));
  const step = stepOfSealed(masterKey, totp, code, Date.now());
  return step !== undefined && takeStep(pool, agent, step);
}
