import { createHmac, timingSafeEqual } from "node:crypto";
import { isId, keysOf, type MasterKey } from "@heliograph/contracts";

/** What a return path names: one attempt at one message. */
export type ReturnPath = { readonly messageId: string; readonly attempt: number };

/**
 * `b-<message>-<attempt>-<signature>`: 54 of the 64 characters that a local part has (RFC 5321 §4.5.3.1.1). Letters, digits and hyphens in one case, because servers on the way fold cases
 * and take `+` and `=` for something of their own.
 */
const shape = /^b-([0-9a-z]{26}-[1-9]\d{0,3})-[0-9a-f]{20}$/;
/** 80 bits: not to be guessed by whoever can try an address at a time. */
const signatureCharacters = 20;

/** In one case, and without an underline. */
export const attemptText = ({ messageId, attempt }: ReturnPath): string =>
  `${messageId.slice(4).toLowerCase()}-${attempt}`;

export function attemptNamed(text: string): ReturnPath | undefined {
  const [message = "", attempt] = text.split("-");
  const messageId = `msg_${message.toUpperCase()}`;
  return isId("msg", messageId) ? { messageId, attempt: Number(attempt) } : undefined;
}

const signatureOf = (
  masterKey: Buffer,
  gatewayId: string,
  { messageId, attempt }: ReturnPath,
): string =>
  createHmac("sha256", masterKey)
    .update(`return-path\u001f${gatewayId}\u001f${messageId}\u001f${attempt}`)
    .digest("hex")
    .slice(0, signatureCharacters);

/** The local part of an attempt's return path. */
export const returnPathOf = (masterKey: Buffer, gatewayId: string, path: ReturnPath): string =>
  `b-${attemptText(path)}-${signatureOf(masterKey, gatewayId, path)}`;

/** What a local part names, unverified: a mail is stored only once its recipient is (`isReturnPath`). */
export function readReturnPath(local: string): ReturnPath | undefined {
  const found = shape.exec(local.toLowerCase());
  return found === null ? undefined : attemptNamed(found[1]!);
}

/** Which of these gateways gave out the return path, under either key while two are given: reports come for days. */
export function giverOf(
  masterKey: MasterKey,
  gatewayIds: readonly string[],
  local: string,
): string | undefined {
  const path = readReturnPath(local);
  if (path === undefined) return undefined;
  const given = Buffer.from(local.toLowerCase().slice(-signatureCharacters));
  return gatewayIds.find((gatewayId) =>
    keysOf(masterKey).some((key) => {
      const expected = Buffer.from(signatureOf(key, gatewayId, path));
      return given.length === expected.length && timingSafeEqual(given, expected);
    }),
  );
}

/** Whether one of these gateways gave out the return path. */
export const isReturnPath = (
  masterKey: MasterKey,
  gatewayIds: readonly string[],
  local: string,
): boolean => giverOf(masterKey, gatewayIds, local) !== undefined;
