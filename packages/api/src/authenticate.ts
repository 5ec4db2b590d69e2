import type { Directory } from "@heliograph/platform";
import { hash } from "node:crypto";
import { PublicError, parseKey } from "@heliograph/contracts";
import { inBlocks, parseBlock } from "./addresses.ts";
import type { Identity } from "./call.ts";
import type { KeyRecord } from "./context.ts";
import { FailedTries } from "./failed-tries.ts";
import type { FindSession } from "./session-record.ts";
import { createSessionAuthenticate } from "./sessions.ts";
import { partnerIn } from "./space.ts";

/** Hashes of keys that were found, so that a busy key is hashed once; far more keys than one process serves at a time. */
const maxRemembered = 10_000;

type Blocks = Parameters<typeof inBlocks>[0];

/** Where a key may be used from; empty: anywhere. */
export const blocksOf = (key: Pick<KeyRecord, "allowed_cidrs">): Blocks =>
  (key.allowed_cidrs ?? []).map(parseBlock).filter((block) => block !== undefined);

/**
 * Gives the identity behind an `Authorization` header: that of an API key at once, from memory, after a look at the log where it is not there, and that of a session's access token after it was looked up.
 * Throws `authentication_required`, `invalid_key`, `key_revoked`, `ip_not_allowed`, `invalid_token` or `session_revoked`, `rate_limited` when too many failed from the address, and `LogUnavailable` where nobody could say whether the key is known.
 */
export type Authenticate = (
  header: string | undefined,
  ip: () => string,
  now: number,
) => Identity | Promise<Identity>;

export function createAuthenticate(
  directory: Directory,
  find?: FindSession,
  failures = new FailedTries(),
): Authenticate {
  const identify = createIdentify(directory, find);
  const refuse = (thrown: unknown, ip: () => string): never => {
    throw failures.refusal(thrown, ip());
  };
  return (header, ip, now) => {
    try {
      const known = identify(header, ip, now);
      return known instanceof Promise ? known.catch((error: unknown) => refuse(error, ip)) : known;
    } catch (error) {
      return refuse(error, ip);
    }
  };
}

function createIdentify(directory: Directory, find: FindSession | undefined): Authenticate {
  const hashes = new Map<string, string>();
  const ofSession = createSessionAuthenticate(directory, find);
  const allowLists = new WeakMap<KeyRecord, Blocks>();
  return (header, ip, now) => {
    if (header === undefined)
      throw new PublicError(
        "authentication_required",
        "Send your API key, or a session's access token, as Authorization: Bearer ….",
      );
    // RFC 9110: the scheme's name is case-insensitive.
    if (header.slice(0, 7).toLowerCase() !== "bearer ")
      throw new PublicError("authentication_required", "Use the Bearer scheme.");
    const text = header.slice(7).trim();
    let sha256 = hashes.get(text);
    if (sha256 === undefined) {
      if (text.startsWith("as_")) return ofSession(text, now);
      if (parseKey(text) === undefined)
        throw new PublicError("invalid_key", "The API key is malformed or mistyped.");
      sha256 = hash("sha256", text, "hex");
    }
    // Another process may have made it a moment ago.
    return (
      known(sha256, text, ip, now) ??
      directory.refreshed().then(() => {
        const found = known(sha256, text, ip, now);
        if (found === undefined) throw new PublicError("invalid_key", "The API key is not known.");
        return found;
      })
    );
  };

  function known(
    sha256: string,
    text: string,
    ip: () => string,
    now: number,
  ): Identity | undefined {
    const key = directory.key(sha256);
    const partner = key && directory.partner(key.partner_id);
    if (key === undefined || partner === undefined) return undefined;
    if (hashes.size >= maxRemembered) hashes.clear();
    hashes.set(text, sha256);
    const end = endOf(key, now);
    if (end !== undefined) throw keyEnded(end);
    if (key.allowed_cidrs !== undefined && key.allowed_cidrs.length > 0) {
      let allowed = allowLists.get(key);
      if (allowed === undefined) allowLists.set(key, (allowed = blocksOf(key)));
      if (!inBlocks(allowed, ip()))
        throw new PublicError("ip_not_allowed", "The API key may not be used from this address.");
    }
    return {
      key,
      partner: partnerIn(directory, key.environment, partner),
      admin: key.scopes.includes("admin"),
    };
  }
}

/** Why a key opens nothing any more, in words for its holder; undefined while it does. The one rule for calls, for readers that wait, and for lists. */
export function endOf(
  key: Pick<KeyRecord, "revoked" | "expires_at">,
  now: number,
): "revoked" | "expired" | undefined {
  if (key.revoked) return "revoked";
  // A time that cannot be read has come: whatever it was to be, it was to be an end.
  return key.expires_at === undefined || Date.parse(key.expires_at) > now ? undefined : "expired";
}

export const keyEnded = (end: "revoked" | "expired"): PublicError =>
  new PublicError(
    "key_revoked",
    end === "revoked" ? "The API key was revoked." : "The API key has expired.",
  );

/** `admin` may do everything; `*` everything but `admin`; `messages:*` every verb of messages. */
export const hasScope = (scopes: readonly string[], scope: string): boolean =>
  scopes.includes(scope) ||
  scopes.includes("admin") ||
  (scope !== "admin" && (scopes.includes("*") || scopes.includes(`${scope.split(":")[0]}:*`)));
