import { hash } from "node:crypto";
import { BlockList, isIPv6 } from "node:net";
import { PublicError, parseKey } from "@heliograph/contracts";
import type { Identity } from "./call.ts";
import type { IngressDirectory, KeyRecord } from "./context.ts";

/** Hashes of keys that were found, so that a busy key is hashed once; far more keys than one process serves at a time. */
const maxRemembered = 10_000;

/** Gives the identity behind an `Authorization` header. Throws `authentication_required`, `invalid_key`, `key_revoked` or `ip_not_allowed`. */
export type Authenticate = (header: string | undefined, ip: () => string, now: number) => Identity;

export function createAuthenticate(directory: IngressDirectory): Authenticate {
  const hashes = new Map<string, string>();
  const allowLists = new WeakMap<KeyRecord, BlockList>();
  return (header, ip, now) => {
    if (header === undefined)
      throw new PublicError(
        "authentication_required",
        "Send your API key as Authorization: Bearer ak_….",
      );
    // RFC 9110: the scheme's name is case-insensitive.
    if (header.slice(0, 7).toLowerCase() !== "bearer ")
      throw new PublicError("authentication_required", "Use the Bearer scheme.");
    const text = header.slice(7).trim();
    let sha256 = hashes.get(text);
    if (sha256 === undefined) {
      if (parseKey(text) === undefined)
        throw new PublicError("invalid_key", "The API key is malformed or mistyped.");
      sha256 = hash("sha256", text, "hex");
    }
    const key = directory.key(sha256);
    const partner = key && directory.partner(key.partner_id);
    if (key === undefined || partner === undefined)
      throw new PublicError("invalid_key", "The API key is not known.");
    if (hashes.size >= maxRemembered) hashes.clear();
    hashes.set(text, sha256);
    if (key.revoked) throw new PublicError("key_revoked", "The API key was revoked.");
    if (key.expires_at !== undefined && Date.parse(key.expires_at) <= now)
      throw new PublicError("key_revoked", "The API key has expired.");
    if (key.allowed_cidrs !== undefined && key.allowed_cidrs.length > 0) {
      let allowed = allowLists.get(key);
      if (allowed === undefined) allowLists.set(key, (allowed = blockList(key.allowed_cidrs)));
      if (!contains(allowed, ip()))
        throw new PublicError("ip_not_allowed", "The API key may not be used from this address.");
    }
    return { key, partner, admin: key.scopes.includes("admin") };
  };
}

function blockList(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address, bits] = cidr.split("/");
    const family = isIPv6(address!) ? "ipv6" : "ipv4";
    list.addSubnet(
      address!,
      bits === undefined ? (family === "ipv6" ? 128 : 32) : Number(bits),
      family,
    );
  }
  return list;
}

/** A dual-stack socket shows IPv4 clients as `::ffff:a.b.c.d`. */
function contains(list: BlockList, ip: string): boolean {
  const plain = ip.startsWith("::ffff:") ? ip.slice(7) : ip;
  return plain !== "" && list.check(plain, isIPv6(plain) ? "ipv6" : "ipv4");
}

/** `admin` may do everything; `*` everything but `admin`; `messages:*` every verb of messages. */
export const hasScope = (scopes: readonly string[], scope: string): boolean =>
  scopes.includes(scope) ||
  scopes.includes("admin") ||
  (scope !== "admin" && (scopes.includes("*") || scopes.includes(`${scope.split(":")[0]}:*`)));
