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
 * Whether a post is one of our own forms. Within a session the form's token has to be right, whatever else is said; and what a browser says of where it comes from must not speak
 * against it: `Sec-Fetch-Site`, which no page can write, else `Origin` where it is not `null` (privacy tools) or missing (programs). Without a session nothing but
 * a browser's word can tell, and a program that says nothing acts for nobody.
 */
export function isOwnPost(
  headers: Pick<IncomingHttpHeaders, "origin" | "sec-fetch-site">,
  { origins, token, wanted }: PostedFrom,
): boolean {
  const { origin, "sec-fetch-site": site } = headers;
  if (wanted !== undefined && (token === undefined || !same(token, wanted))) return false;
  if (site !== undefined) return site === "same-origin" || site === "none";
  if (origin !== undefined && origin !== "null") return origins.includes(origin);
  return wanted !== undefined || origin === undefined;
}

function same(left: string, right: string): boolean {
  const [one, other] = [Buffer.from(left), Buffer.from(right)];
  return one.length === other.length && timingSafeEqual(one, other);
}
