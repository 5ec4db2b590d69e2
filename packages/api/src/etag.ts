import { PublicError } from "@heliograph/contracts";
import type { Call } from "./call.ts";

/** The entity tag (RFC 9110 §8.8.3) of a resource by what tells its states apart: the revision of its stream, or several parts. */
export const etagOf = (...version: readonly (number | bigint | string)[]): string =>
  `"${version.join("-")}"`;

type Conditional = Pick<Call, "request">;

/**
 * Refuses a change of another state than the caller has seen: `If-Match` is compared strongly (RFC 9110 §13.1.1). Call it where the change is decided, with
 * the tag of the state that is changed, so that two who saw the same cannot both change it; without one where it is made. Throws `precondition_failed`.
 */
export function requireMatch({ request }: Conditional, etag: string | undefined): void {
  const header = request.headers["if-match"];
  if (header === undefined || (etag !== undefined && names(header, etag, false))) return;
  throw new PublicError(
    "precondition_failed",
    `If-Match names ${header.slice(0, 100)}; ${etag === undefined ? "there is nothing yet" : `it is ${etag}`}.`,
    { ...(etag !== undefined && { extra: { etag } }) },
  );
}

/** Whether a GET may be answered with 304: `If-None-Match` has the state, compared weakly (RFC 9110 §13.1.2). */
export function isUnchanged({ request }: Conditional, etag: string): boolean {
  const header = request.headers["if-none-match"];
  return header !== undefined && names(header, etag, true);
}

/** Whether a list of tags has this one, or is `*`. A weak tag (a proxy that compresses makes one) is equal only in a weak comparison. */
function names(header: string, etag: string, weakly: boolean): boolean {
  if (header.trim() === "*") return true;
  return (header.match(/(?:W\/)?"[^"]*"/g) ?? []).some(
    (tag) => tag === etag || (weakly && tag === `W/${etag}`),
  );
}
