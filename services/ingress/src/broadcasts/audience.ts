import { type Reached, readAudience } from "@heliograph/contacts";
import type pg from "pg";
import type { Created } from "./decide.ts";

type Audience = Created["audience"];

/** Whether an audience is a list of contacts and nothing else: then also of those that are not there any more. */
export const isNamed = ({ tag, attribute, contact_ids }: Audience): boolean =>
  contact_ids !== undefined && tag === undefined && attribute === undefined;

/** The next ones of an audience behind a position; one that is a list comes at once. */
export async function nextMembers(
  pool: pg.Pool,
  asked: {
    readonly partner: string;
    readonly audience: Audience;
    readonly after: string;
    readonly upTo: bigint;
    readonly limit: number;
  },
): Promise<readonly { readonly id: string; readonly position: string }[]> {
  const { audience, after } = asked;
  return isNamed(audience)
    ? [...new Set(audience.contact_ids)].map((id) => ({ id, position: after }))
    : readAudience(pool, { ...asked, after: BigInt(after) });
}

/** Where a contact can be written to, or why it cannot; `root`: whom it is part of now. */
export type Place = { readonly to: string } | { readonly reason: string; readonly root?: string };

export function placeOf(at: Reached | undefined): Place {
  if (at === undefined) return { reason: "contact_not_found" };
  if (at.erased) return { reason: "contact_erased" };
  if (at.root !== at.id) return { reason: "contact_merged", root: at.root };
  return at.to === null ? { reason: "no_address" } : { to: at.to };
}
