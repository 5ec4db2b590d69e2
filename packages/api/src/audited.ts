import { hash } from "node:crypto";
import { keyPrefix, parseKey } from "@heliograph/contracts";
import type { Directory } from "@heliograph/platform";
import type { Request } from "express";
import type { About, Call, Identity } from "./call.ts";
import { addressOf } from "./call.ts";
import type { AuditEntry } from "./context.ts";
import type { Route } from "./route.ts";
import { shownPath } from "./shown-path.ts";

/** Our longest address has two ids. */
const maxTargetLength = 256;

/** Who calls where nobody is known. */
export const unknownActor = "unknown";

/** A request that was answered, as far as it is known whose it was. */
type Answered = {
  readonly id: string;
  readonly path: string;
  readonly request: Request;
  readonly route?: Route;
  readonly identity?: Identity;
  readonly call?: Call;
  /** The error's code where it was refused. */
  readonly code?: string;
};
type Wire = { readonly status: number; readonly headers: readonly string[] };

/**
 * The audit's entry of a request: of each that changes something or was refused. Undefined for reads, and for what the log itself tells with its actor (sends by key). Nothing of a body or
 * a query is in it, and of a key that opened nothing no more than its prefix.
 */
export function auditEntryOf(
  answered: Answered,
  { status, headers }: Wire,
  directory: Directory,
): AuditEntry | undefined {
  const { route, identity, path, request } = answered;
  const refused = status >= 400 && status < 500;
  if ((!refused && route?.mutates !== true) || route?.audit === "never") return undefined;
  // An agent's sends are entries: no event keeps from which address a person wrote.
  if (!refused && route?.audit === false && identity?.agent === undefined) return undefined;
  const { prefix, ...about } = whoOf(answered, directory);
  const positionAt = refused ? -1 : headers.indexOf("Log-Position");
  return {
    at: Date.now(),
    ...about,
    ...(prefix !== undefined && { keyPrefix: prefix }),
    // An address that is not there may be anything.
    action: route === undefined ? `${request.method} *` : `${route.method} ${route.path}`,
    target: route === undefined ? "" : shownPath(route.path, path).slice(0, maxTargetLength),
    requestId: answered.id,
    ip: addressOf(request),
    outcome: status,
    ...(answered.code !== undefined && { code: answered.code }),
    ...(positionAt !== -1 && { position: BigInt(headers[positionAt + 1]!) }),
  };
}

function whoOf(
  { identity, call, request }: Answered,
  directory: Directory,
): About & { readonly prefix?: string } {
  if (identity !== undefined) {
    const { key, agent } = identity;
    const { environment } = key;
    const actor = agent?.agent_id ?? key.key_id;
    return {
      environment,
      partner: key.partner_id,
      actor,
      ...(!agent && { prefix: key.prefix }),
    };
  }
  if (call?.about !== undefined) return call.about;
  const bearer = request.headers.authorization?.slice(7).trim() ?? "";
  const key = parseKey(bearer) && directory.key(hash("sha256", bearer, "hex"));
  if (key) {
    const { environment, partner_id: partner, key_id: actor, prefix } = key;
    return { environment, partner, actor, prefix };
  }
  const kind = /^a[a-z]_(live|test|admin)_/.exec(bearer)?.[1];
  return {
    environment: kind === "test" ? "sandbox" : "live",
    partner: "",
    actor: unknownActor,
    ...(kind !== undefined && { prefix: keyPrefix(bearer) }),
  };
}
