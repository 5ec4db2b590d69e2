import { timingSafeEqual } from "node:crypto";

/** What a browser and a form say of where a post comes from. */
export type PostedFrom = {
  readonly fetchSite: string | undefined;
  readonly origin: string | undefined;
  readonly ownOrigin: string;
  /** Of the form; undefined where it has none. */
  readonly token: string | undefined;
  /** Of the session; undefined before there is one. */
  readonly wanted: string | undefined;
};

/**
 * Whether a post is one of our own forms. `Sec-Fetch-Site`, which no page can write, decides where there is one; else `Origin`; where that is `null` or missing (privacy tools,
 * programs), the form's token. A wrong token is refused whatever else is said. Before there is a session nothing but a browser's word can tell, and a program that says
 * nothing acts for nobody.
 */
export function isOwnPost({ fetchSite, origin, ownOrigin, token, wanted }: PostedFrom): boolean {
  const right = wanted !== undefined && token !== undefined && same(token, wanted);
  if (wanted !== undefined && token !== undefined && !right) return false;
  if (fetchSite !== undefined) return fetchSite === "same-origin" || fetchSite === "none";
  if (origin !== undefined && origin !== "null") return origin === ownOrigin;
  return right || (wanted === undefined && origin === undefined);
}

function same(left: string, right: string): boolean {
  const [one, other] = [Buffer.from(left), Buffer.from(right)];
  return one.length === other.length && timingSafeEqual(one, other);
}
