import { type Claim, readClaims } from "../claims.ts";
import { erased } from "../refusals.ts";
import { type LoadedWithIds, survivorsOf } from "../streams.ts";
import type { ReadyRow } from "./ready.ts";

/** What an id means to a row; `never` had an owner. */
export type Held =
  | { readonly kind: "never" | "free" }
  | { readonly kind: "orphan"; readonly contact_id: string }
  /** Of one that its survivor has let go, and that has not been told. */
  | { readonly kind: "let go"; readonly contact_id: string }
  | { readonly kind: "held"; readonly by: LoadedWithIds };

/** A row and what its ids mean, in their order. */
export type Looked = { readonly row: ReadyRow; readonly held: readonly Held[] };

/** Reads whose the ids of many rows are: their claims in one read, and the contacts in as many as merges are deep. */
export async function look(rows: readonly ReadyRow[]): Promise<readonly Looked[]> {
  const [first] = rows;
  if (first === undefined) return [];
  const { context } = first;
  const names = new Set(rows.flatMap(({ ids }) => ids.map(({ name }) => name)));
  const claims = await readClaims(context.log, [...names]);
  const owners = [...claims.values()].flatMap(({ owner }) => owner ?? []);
  const survivorOf = await survivorsOf(context, owners);
  const heldOf = ({ owner, revision }: Claim): Held => {
    if (owner === undefined) return { kind: revision < 0 ? "never" : "free" };
    const by = survivorOf(owner);
    if (by === undefined) return { kind: "orphan", contact_id: owner };
    const { contact_id, merged } = by.contact;
    if (merged !== undefined) return { kind: "let go", contact_id };
    return erased(by.contact) ? { kind: "free" } : { kind: "held", by };
  };
  return rows.map((row) => ({ row, held: row.ids.map(({ name }) => heldOf(claims.get(name)!)) }));
}

/** The contacts that a row means, by what was found. */
export const contactsOf = ({ held }: Looked): readonly string[] =>
  held.flatMap((each) => {
    if (each.kind === "held") return each.by.contact.contact_id;
    return "contact_id" in each ? each.contact_id : [];
  });

/**
 * Those that may be applied at once, because no two have a name in common, and those that must come behind them: one sees what the one before it did, and nobody overtakes one that
 * comes later.
 */
export function apart<Each>(
  all: readonly Each[],
  namesOf: (each: Each) => readonly string[],
): { readonly now: readonly Each[]; readonly later: readonly Each[] } {
  const busy = new Set<string>();
  const now: Each[] = [];
  const later: Each[] = [];
  for (const each of all) {
    const names = namesOf(each);
    (names.some((name) => busy.has(name)) ? later : now).push(each);
    for (const name of names) busy.add(name);
  }
  return { now, later };
}
