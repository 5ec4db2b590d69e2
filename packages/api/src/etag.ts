import { createHash } from "node:crypto";
import { PublicError } from "@heliograph/contracts";
import type { Call } from "./call.ts";
import type { Answer, Route } from "./route.ts";

/** The entity tag (RFC 9110 §8.8.3) of a resource by what tells its states apart: the revision of its stream, or several parts. */
export const etagOf = (...version: readonly (number | bigint | string)[]): string =>
  `"${version.join("-")}"`;

/** The entity tag of a resource by what is shown of it, where nothing smaller tells its states apart: 22 characters of a SHA-256 are 131 bits. */
export const etagOfBody = (body: object): string =>
  etagOf(createHash("sha256").update(JSON.stringify(body)).digest("base64url").slice(0, 22));

type Conditional = Pick<Call, "request">;

/**
 * Refuses a change of another state than the caller has seen: `If-Match` is compared strongly (RFC 9110 §13.1.1). Call it where the change is decided, with
 * the tag of the state that is changed, so that two who saw the same cannot both change it; without one where it is made; as a function where making it costs something. Throws `precondition_failed`.
 */
export function requireMatch(
  { request }: Conditional,
  tag: string | undefined | (() => string),
): void {
  const header = request.headers["if-match"];
  if (header === undefined) return;
  const etag = typeof tag === "function" ? tag() : tag;
  if (etag !== undefined && names(header, etag, false)) return;
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

/** What a GET is answered: with the tag of what is shown where the route has tags and the handler named none, and as 304 to who has it already. */
export function conditional(
  route: Pick<Route, "etag" | "showsMore">,
  call: Conditional,
  answer: Answer,
): Answer {
  const { status, body, headers } = answer;
  const isTagged = route.etag === true && status === 200 && typeof body === "object";
  const etag = answer.etag ?? (isTagged ? etagOfBody(body) : undefined);
  if (etag === undefined) return answer;
  return route.showsMore !== true && isUnchanged(call, etag)
    ? { status: 304, etag, ...(headers && { headers }) }
    : { ...answer, etag };
}

/** Whether `If-Match` means something: to whatever may change a state. What the request names is then never passed over in silence. */
export const takesMatch = ({ method }: Pick<Route, "method">): boolean => method !== "GET";

/** Whether a change holds `If-Match` against the state that it meets. What makes something anew meets none, although its answer has a tag. */
export const holdsMatch = ({
  method,
  path,
  etag,
}: Pick<Route, "method" | "path" | "etag">): boolean =>
  etag === true && takesMatch({ method }) && (method !== "POST" || path.includes("/:"));

/** Refuses a call that names a state where none is looked at: nobody would tell whether it is still so. Throws `precondition_failed`. */
export function refuseUntold(
  route: Pick<Route, "method" | "path" | "etag">,
  call: Conditional,
): void {
  const header = call.request.headers["if-match"];
  if (header === undefined || header.trim() === "*") return;
  if (!takesMatch(route) || holdsMatch(route)) return;
  throw new PublicError(
    "precondition_failed",
    "This call looks at no state that If-Match could name: ask again without it.",
  );
}

/** Whether a list of tags has this one, or is `*`. A weak tag (a proxy that compresses makes one) is equal only in a weak comparison. */
function names(header: string, etag: string, weakly: boolean): boolean {
  if (header.trim() === "*") return true;
  return (header.match(/(?:W\/)?"[^"]*"/g) ?? []).some(
    (tag) => tag === etag || (weakly && tag === `W/${etag}`),
  );
}
