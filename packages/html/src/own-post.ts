import { timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** What a form says of where it comes from. */
export type PostedFrom = {
  /** Origins whose forms are ours. */
  readonly origins: readonly string[];
  /** Of the form; undefined where it has none. */
  readonly token?: string | undefined;
  /** Of the session; undefined where there is none. */
  readonly wanted?: string | undefined;
};

/**
 * Whether a post is one of our own forms. `Sec-Fetch-Site`, which no page can write, decides where there is one; else `Origin`; where that is `null` or missing (privacy tools,
 * programs), the form's token. A wrong token is refused whatever else is said. Without a session nothing but a browser's word can tell, and a program that says
 * nothing acts for nobody.
 */
export function isOwnPost(
  headers: Pick<IncomingHttpHeaders, "origin" | "sec-fetch-site">,
  { origins, token, wanted }: PostedFrom,
): boolean {
  const { origin, "sec-fetch-site": site } = headers;
  const right = wanted !== undefined && token !== undefined && same(token, wanted);
  if (wanted !== undefined && token !== undefined && !right) return false;
  if (site !== undefined) return site === "same-origin" || site === "none";
  if (origin !== undefined && origin !== "null") return origins.includes(origin);
  return right || (wanted === undefined && origin === undefined);
}

function same(left: string, right: string): boolean {
  const [one, other] = [Buffer.from(left), Buffer.from(right)];
  return one.length === other.length && timingSafeEqual(one, other);
}
