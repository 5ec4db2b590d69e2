import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { signedJwt } from "../jwt.ts";

/** Apple refuses a token that is older than an hour, and one that is renewed before twenty minutes are over. */
const renewMs = 40 * 60_000;
const leastMs = 20 * 60_000;
const mostMs = 60 * 60_000;

export type Signer = {
  readonly teamId: string;
  readonly keyId: string;
  readonly key: KeyObject;
};
type Signed = {
  readonly token: string;
  readonly issuedAt: number;
  /** When one was given up because it was refused. */
  readonly refusedAt: number;
};

/**
 * The tokens of this process by their key, and not by their gateway: two gateways with one key, or one that is made anew because a setting changed, must not make two tokens in twenty minutes.
 * What is over an hour old goes with the next one that is signed.
 */
const tokens = new Map<string, Signed>();

const nameOf = ({ teamId, keyId, key }: Signer): string => {
  const der = createPublicKey(key).export({ type: "spki", format: "der" });
  return [teamId, keyId, createHash("sha256").update(der).digest("hex")].join(" ");
};

function sign(
  name: string,
  { teamId, keyId, key }: Signer,
  nowMs: number,
  refusedAt: number,
): string {
  for (const [other, { issuedAt }] of tokens) if (nowMs - issuedAt > mostMs) tokens.delete(other);
  const iat = Math.floor(nowMs / 1_000);
  const token = signedJwt("ES256", key, { kid: keyId }, { iss: teamId, iat });
  tokens.set(name, { token, issuedAt: iat * 1_000, refusedAt });
  return token;
}

export type ProviderTokens = {
  /** The token of this moment: the same for all, its age counted from `iat`. */
  current(nowMs: number): string;
  /** Another one in the place of a token that was refused as too old; undefined where that was done less than twenty minutes ago. */
  instead(token: string, nowMs: number): string | undefined;
};

export function providerTokens(signer: Signer): ProviderTokens {
  const name = nameOf(signer);
  function current(nowMs: number): string {
    const held = tokens.get(name);
    // A clock that was set back by more counts as well.
    return held !== undefined && Math.abs(nowMs - held.issuedAt) < renewMs
      ? held.token
      : sign(name, signer, nowMs, held?.refusedAt ?? 0);
  }
  return {
    current,
    instead(token, nowMs) {
      const held = tokens.get(name);
      if (held?.token !== token) return current(nowMs);
      return Math.abs(nowMs - held.refusedAt) < leastMs
        ? undefined
        : sign(name, signer, nowMs, nowMs);
    },
  };
}
