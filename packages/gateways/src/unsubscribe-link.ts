import { createHmac, timingSafeEqual } from "node:crypto";
import { isId, keysOf, type Environment, type MasterKey } from "@heliograph/contracts";

/** 168 bits: not to be guessed. */
const signatureCharacters = 28;
const shape = /^([ls])([0-9A-Z]{26})([\w-]{28})$/;
const letters = { live: "l", sandbox: "s" } as const satisfies Record<Environment, string>;

/** The message by which somebody was reached who wants no more of its kind. */
export type Unsubscribing = { readonly environment: Environment; readonly messageId: string };

const signatureOf = (masterKey: Buffer, { environment, messageId }: Unsubscribing): string =>
  createHmac("sha256", masterKey)
    .update(`unsubscribe\u001f${environment}\u001f${messageId}`)
    .digest("base64url")
    .slice(0, signatureCharacters);

/** By what the recipient of a message ends what it is one of. It follows from the master key, so nothing has to be stored, and it works as long as the message is there and the key is given. */
export const unsubscribeToken = (masterKey: Buffer, message: Unsubscribing): string =>
  `${letters[message.environment]}${message.messageId.slice(4)}${signatureOf(masterKey, message)}`;

/** Where that is done. `origin` is ours, without a slash at the end. */
export const unsubscribeLink = (
  origin: string,
  masterKey: Buffer,
  message: Unsubscribing,
): string => `${origin}/api/v1/unsubscribe/${unsubscribeToken(masterKey, message)}`;

/** The message of a token; undefined for a token that we made under none of the keys. */
export function readUnsubscribeToken(
  masterKey: MasterKey,
  token: string,
): Unsubscribing | undefined {
  const [, letter, id, signature] = shape.exec(token) ?? [];
  if (id === undefined || signature === undefined) return undefined;
  const environment = letter === letters.live ? "live" : "sandbox";
  const message = { environment, messageId: `msg_${id}` } as const;
  const isOurs = keysOf(masterKey).some((key) =>
    timingSafeEqual(Buffer.from(signature), Buffer.from(signatureOf(key, message))),
  );
  return isOurs && isId("msg", message.messageId) ? message : undefined;
}
