import { createHmac, timingSafeEqual } from "node:crypto";
import { keysOf, type MasterKey } from "@heliograph/contracts";

/** 168 bits: not to be guessed, and short enough for every provider's field. */
const tokenCharacters = 28;

/** Of these the tokens are remembered: each report asks for its gateway's, which costs as much as to store it. Whoever guesses ids fills it, and it begins anew. */
const mostRemembered = 1_000;
const remembered = new WeakMap<Buffer, Map<string, string>>();

/** The token in the address of a gateway's callbacks: it follows from the master key, so nothing has to be stored, and it lives as long as the gateway's other secrets. */
function tokenOf(masterKey: Buffer, gatewayId: string): string {
  let tokens = remembered.get(masterKey);
  if (tokens === undefined) remembered.set(masterKey, (tokens = new Map()));
  const known = tokens.get(gatewayId);
  if (known !== undefined) return known;
  const token = createHmac("sha256", masterKey)
    .update(`callback\u001f${gatewayId}`)
    .digest("base64url")
    .slice(0, tokenCharacters);
  if (tokens.size >= mostRemembered) tokens.clear();
  tokens.set(gatewayId, token);
  return token;
}

/** Where a gateway's provider calls. `origin` is ours, without a slash at the end. */
export const callbackUrl = (origin: string, masterKey: Buffer, gatewayId: string): string =>
  `${origin}/api/v1/callbacks/${gatewayId}/${tokenOf(masterKey, gatewayId)}`;

/** Takes as long whatever is wrong with it. */
export function isCallbackToken(masterKey: MasterKey, gatewayId: string, token: string): boolean {
  const given = Buffer.from(token);
  return keysOf(masterKey).some((key) => {
    const expected = Buffer.from(tokenOf(key, gatewayId));
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}
