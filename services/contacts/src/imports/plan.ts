import { notValid } from "@heliograph/api";
import type { TypedEvent } from "@heliograph/contracts";
import { type NamedId, lists } from "../claims.ts";
import { fieldsChange, isMadeBy } from "../commands.ts";
import { maxExternalIds } from "../fields.ts";
import { type Fields, noFields, patchFields } from "../profile.ts";
import { taken } from "../refusals.ts";
import type { LoadedWithIds } from "../streams.ts";
import type { OnConflict } from "../tables/imports.ts";
import type { RowFault } from "./columns.ts";
import type { Looked } from "./look.ts";
import type { ReadyRow } from "./ready.ts";
import { faultOf } from "./rows.ts";

export type RowOutcome = "created" | "updated" | "skipped" | RowFault;
/** A contact that a row makes: nobody ever had its ids. */
export type Making = { readonly row: ReadyRow; readonly fields: Fields };
/** A contact that a row changes; `ids` are those that nobody ever had, which it is given. */
export type Changing = {
  readonly row: ReadyRow;
  readonly ids: readonly NamedId[];
  readonly by: LoadedWithIds;
  readonly events: readonly TypedEvent[];
};

export type Plan =
  | { readonly kind: "done"; readonly outcome: RowOutcome }
  | ({ readonly kind: "make" } & Making)
  | ({ readonly kind: "change" } & Changing)
  /** Something about it is unusual: the command decides. */
  | { readonly kind: "alone" };

const done = (outcome: RowOutcome): Plan => ({ kind: "done", outcome });
const alone: Plan = { kind: "alone" };

/** What the command would do to a row, where that follows from what was read. `rowOf` tells which row of the batch the event of an id is of. */
export function planOf(
  { row, held }: Looked,
  onConflict: OnConflict,
  rowOf: (eventId: string) => number | undefined,
  at: string,
): Plan {
  if (held.every(({ kind }) => kind === "never")) return making(row);
  const found = held.find((each) => each.kind === "held");
  if (found === undefined) return alone;
  const { by } = found;
  if (isMadeBy(row.context, by)) return done("created");
  const { contact } = by;
  if (onConflict !== "update") {
    if (held[0] !== found) return alone;
    const fault = faultOf(taken(row.ids[0]!, contact.contact_id));
    return done(onConflict === "skip" ? "skipped" : fault);
  }
  const touched = Math.max(0, ...[...by.eventIds].map((id) => rowOf(id) ?? 0));
  if (by.eventIds.has(row.context.eventId("updated"))) return done("updated");
  const isOwn = (index: number): boolean => {
    const each = held[index]!;
    return each.kind === "held" && each.by === by && lists(by, row.ids[index]!);
  };
  const ids = row.ids.filter((_, index) => !isOwn(index));
  if (row.ids.some((_, index) => !isOwn(index) && held[index]!.kind !== "never")) return alone;
  const { external_ids: _, ...patch } = row.input;
  const change = fieldsChange(contact, ids, patch, at);
  if ("refusal" in change) return done(faultOf(change.refusal));
  if (ids.length > 0 && contact.external_ids.length + ids.length > maxExternalIds) return alone;
  const { events } = change;
  // A row behind this one has come to the contact before the process was killed, so this one had, and there was nothing to change.
  if (touched > row.row || events.length === 0) return done("updated");
  return { kind: "change", row, ids, by, events };
}

function making(row: ReadyRow): Plan {
  const { external_ids: _, ...patch } = row.input;
  const patched = patchFields(noFields, patch);
  if ("errors" in patched) return done(faultOf(notValid("body", patched.errors)));
  return row.ids.length > maxExternalIds ? alone : { kind: "make", row, fields: patched.fields };
}
