import type { EventData, PublicError, TypedEvent } from "@heliograph/contracts";
import { notValid } from "@heliograph/api";
import { type ActiveMerge, type Contact, released } from "../contact.ts";
import { mergeFields, profileText, sizeFaults } from "../profile.ts";
import { withField } from "../refusals.ts";

/** A contact and the external ids of all that are part of it; a merge beyond is refused, so that what it tells fits its event. */
const maxMergedIds = 200;

export type Moved = EventData<"ContactAbsorbed">["moved"];
type MergeIds = { readonly merge_id: string; readonly merged_id: string };
type At = { readonly at: string };

/** What is wrong with merging one contact into another at this state of both, beyond what either is by itself. */
export function mergeFaults(into: Contact, from: Contact): PublicError | undefined {
  const { fields } = mergeFields(into.fields, from.fields);
  const errors = [...sizeFaults(fields)];
  if (into.external_ids.length + from.external_ids.length > maxMergedIds)
    errors.push(withField("external_ids", "too_big", `must be at most ${maxMergedIds} together`));
  return errors.length === 0 ? undefined : notValid("body", errors);
}

/** Begins a merge on the survivor. The other one then becomes part of it right behind `mergedRevision`, or never. */
export const started = (
  into: Contact,
  { merge_id, merged_id }: MergeIds,
  mergedRevision: number,
  { at }: At,
): TypedEvent<"ContactMergeStarted"> => ({
  type: "ContactMergeStarted",
  data: {
    merge_id,
    contact_id: into.contact_id,
    merged_id,
    merged_revision: mergedRevision,
    started_at: at,
  },
});

export const merged = (
  from: Contact,
  { merge_id, into }: { readonly merge_id: string; readonly into: string },
  { at }: At,
): TypedEvent<"ContactMerged"> => ({
  type: "ContactMerged",
  data: { merge_id, contact_id: from.contact_id, into, merged_at: at },
});

/** Ends a merge that cannot be any more. */
export const canceled = (
  into: string,
  { merge_id, merged_id }: MergeIds,
  { at }: At,
): TypedEvent<"ContactMergeCanceled"> => ({
  type: "ContactMergeCanceled",
  data: {
    merge_id,
    contact_id: into,
    merged_id,
    reason: "the other contact changed at the same moment",
    canceled_at: at,
  },
});

/** Ends a merge: the survivor gains what it lacks and keeps what it has. */
export function absorbed(
  into: Contact,
  from: Contact,
  merge_id: string,
  counted: Pick<Moved, "conversations" | "messages">,
  { at }: At,
): TypedEvent<"ContactAbsorbed"> {
  const { fields, gained } = mergeFields(into.fields, from.fields);
  return {
    type: "ContactAbsorbed",
    data: {
      merge_id,
      contact_id: into.contact_id,
      merged_id: from.contact_id,
      name: fields.name,
      profile: profileText(fields),
      gained: JSON.stringify(gained),
      external_ids: from.external_ids.map(({ source, id, name, added_at }) => ({
        source,
        id,
        name,
        added_at,
      })),
      moved: { external_ids: from.external_ids.length, ...counted },
      absorbed_at: at,
    },
  };
}

/** Undoes a merge on the survivor: what it gained goes, what was changed since stays. What is left of the other's external ids goes back with it. */
export function letGo(
  contact: Contact,
  merge: ActiveMerge,
  { at }: At,
): TypedEvent<"ContactReleased"> {
  const { fields } = released(contact, merge);
  return {
    type: "ContactReleased",
    data: {
      merge_id: merge.merge_id,
      contact_id: contact.contact_id,
      released_id: merge.merged_id,
      left: contact.external_ids
        .filter(({ from }) => from === merge.merge_id)
        .map(({ name }) => name),
      name: fields.name,
      profile: profileText(fields),
      released_at: at,
    },
  };
}

/** The merged contact is itself again, but for the external ids that were taken from the survivor meanwhile. */
export function unmerged(
  from: Contact,
  merge_id: string,
  left: readonly string[],
  { at }: At,
): TypedEvent<"ContactUnmerged"> {
  const lost = from.external_ids.map(({ name }) => name).filter((name) => !left.includes(name));
  return {
    type: "ContactUnmerged",
    data: { merge_id, contact_id: from.contact_id, lost, unmerged_at: at },
  };
}
