import type { TypedEvent } from "@heliograph/contracts";
import { erasedText } from "@heliograph/vault";
import { type ListedProfile, emptyProfile, listedProfile } from "./listed-profile.ts";

export const listedTypes = [
  "ContactCreated",
  "ContactUpdated",
  "ContactExternalIdAdded",
  "ContactExternalIdRemoved",
  "ContactMerged",
  "ContactAbsorbed",
  "ContactReleased",
  "ContactUnmerged",
  "ContactErasureRequested",
  "ContactErased",
] as const;
export type ListedEvent = TypedEvent<(typeof listedTypes)[number]>;

export type OwnId = {
  readonly source: string;
  readonly id: string;
  /** Of its claim. */
  readonly name: string;
  readonly added_at: string;
};

/** A contact as lists know it. Nothing personal is left of one that is erased, whether its events are read before or after its keys are gone. */
export type Folded = {
  readonly id: string;
  readonly partner: string;
  /** Of its first event. */
  readonly position: string;
  name: string | null;
  profile: ListedProfile;
  /** Those that this contact itself was given. */
  own: readonly OwnId[];
  mergedInto: string | null;
  erased: boolean;
  readonly createdAt: string;
  updatedAt: string;
};

/** Whose rows an event changes, or is read from. */
export function contactsOf({ type, data }: ListedEvent): readonly string[] {
  if (type === "ContactMerged") return [data.contact_id, data.into];
  if (type === "ContactErased") return [data.contact_id, ...data.with];
  return [data.contact_id];
}

/** A text whose key is gone is no text. */
const open = (text: string | null): string | null => (text === erasedText ? null : text);

export const newRow = (
  data: Extract<ListedEvent, { type: "ContactCreated" }>["data"],
  partner: string,
  position: string,
): Folded => ({
  id: data.contact_id,
  partner,
  position,
  name: open(data.name),
  profile: listedProfile(data.profile),
  own: data.external_ids
    .filter(({ id }) => id !== erasedText)
    .map(({ source, id, name }) => ({ source, id, name, added_at: data.created_at })),
  mergedInto: null,
  erased: false,
  createdAt: data.created_at,
  updatedAt: data.created_at,
});

/** Takes an opened event into the rows of its contacts. `rows` holds all that are merged with them. */
export function take(rows: ReadonlyMap<string, Folded>, { type, data }: ListedEvent): void {
  const row = rows.get(data.contact_id);
  if (row === undefined) return;
  switch (type) {
    case "ContactCreated":
      return;
    case "ContactUpdated":
      describe(row, data, data.updated_at);
      return;
    case "ContactAbsorbed":
      describe(row, data, data.absorbed_at);
      return;
    case "ContactReleased":
      describe(row, data, data.released_at);
      return;
    case "ContactExternalIdAdded": {
      const { source, id, name } = data.external_id;
      row.updatedAt = data.added_at;
      if (row.erased || id === erasedText) return;
      const added = { source, id, name, added_at: data.added_at };
      row.own = [...row.own.filter((own) => own.name !== name), added];
      return;
    }
    case "ContactExternalIdRemoved":
      row.updatedAt = data.removed_at;
      // It may have come with a contact that was merged into this one.
      for (const each of rows.values())
        if (rootOf(rows, each) === rootOf(rows, row))
          each.own = each.own.filter(({ name }) => name !== data.name);
      return;
    case "ContactMerged":
      row.mergedInto = data.into;
      row.updatedAt = data.merged_at;
      return;
    case "ContactUnmerged":
      row.mergedInto = null;
      row.updatedAt = data.unmerged_at;
      return;
    case "ContactErasureRequested":
      erase(row, data.requested_at);
      return;
    case "ContactErased":
      for (const each of [row, ...data.with.map((id) => rows.get(id))])
        if (each !== undefined) erase(each, data.key_destroyed_at);
      return;
    default:
      return type satisfies never;
  }
}

function describe(
  row: Folded,
  to: { readonly name?: string | null | undefined; readonly profile?: string | undefined },
  at: string,
): void {
  row.updatedAt = at;
  if (row.erased) return;
  if (to.name !== undefined) row.name = open(to.name);
  if (to.profile !== undefined) row.profile = listedProfile(to.profile);
}

function erase(row: Folded, at: string): void {
  row.name = null;
  row.profile = emptyProfile;
  row.own = [];
  row.erased = true;
  row.updatedAt = at;
}

/** The contact that a merged one is part of now; itself where it is not merged. */
export function rootOf(rows: ReadonlyMap<string, Folded>, row: Folded): string {
  let found = row;
  for (let steps = 0; found.mergedInto !== null && steps < rows.size; steps++) {
    const into = rows.get(found.mergedInto);
    if (into === undefined) return found.mergedInto;
    found = into;
  }
  return found.id;
}
