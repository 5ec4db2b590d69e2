import type { TypedEvent } from "@heliograph/contracts";
import {
  type Fields,
  type Gained,
  attributeValues,
  parseProfile,
  stillGained,
  withoutGained,
} from "./profile.ts";
import { erasedText } from "@heliograph/vault";

/** An external id as its contact lists it. `from` is the merge that brought it. */
export type OwnedId = {
  readonly source: string;
  readonly id: string;
  readonly name: string;
  readonly added_at: string;
  readonly from?: string;
};

/** A contact that was taken in and not let go since. */
export type ActiveMerge = {
  readonly merge_id: string;
  readonly merged_id: string;
  readonly merged_at: string;
  readonly gained: Gained;
};

/** A contact as its stream tells it, its texts opened. */
export type Contact = {
  readonly contact_id: string;
  readonly fields: Fields;
  readonly external_ids: readonly OwnedId[];
  /** The inbound message that made it. */
  readonly message_id?: string | undefined;
  /** `merged`: it is part of `into`. `erasing`, `erased`: nothing of it is shown or changed any more. */
  readonly status: "active" | "merged" | "erasing" | "erased";
  readonly merged?: { readonly merge_id: string; readonly into: string } | undefined;
  /** A merge that has begun on this survivor and not ended: it can neither be merged nor erased meanwhile. */
  readonly absorbing?: Absorbing | undefined;
  readonly merges: readonly ActiveMerge[];
  readonly erasure_id?: string | undefined;
  readonly created_at: string;
  readonly updated_at: string;
};
export type Absorbing = {
  readonly merge_id: string;
  readonly merged_id: string;
  readonly merged_revision: number;
};

/** Folds one event of a contact's stream whose texts are opened; those whose key was destroyed read `[erased]`. */
export function evolveContact(
  contact: Contact | undefined,
  event: TypedEvent,
): Contact | undefined {
  if (event.type === "ContactCreated") {
    const { contact_id, created_at, external_ids, message_id } = event.data;
    return {
      contact_id,
      fields: { name: event.data.name, ...parseProfile(event.data.profile) },
      external_ids: external_ids.map((each) => ({ ...each, added_at: created_at })),
      ...(message_id !== undefined && { message_id }),
      status: "active",
      merges: [],
      created_at,
      updated_at: created_at,
    };
  }
  return contact === undefined ? undefined : evolve(contact, event);
}

function evolve(contact: Contact, event: TypedEvent): Contact {
  switch (event.type) {
    case "ContactUpdated": {
      const { name, profile, updated_at } = event.data;
      const fields: Fields = {
        ...contact.fields,
        ...(profile !== undefined && parseProfile(profile)),
        ...(name !== undefined && { name }),
      };
      const merges = contact.merges.map((merge) => ({
        ...merge,
        gained: stillGained(merge.gained, contact.fields, fields),
      }));
      return { ...contact, fields, merges, updated_at };
    }
    case "ContactExternalIdAdded": {
      const { external_id, added_at } = event.data;
      const others = without(contact.external_ids, external_id.name);
      return {
        ...contact,
        external_ids: [...others, { ...external_id, added_at }],
        updated_at: added_at,
      };
    }
    case "ContactExternalIdRemoved":
      return {
        ...contact,
        external_ids: without(contact.external_ids, event.data.name),
        updated_at: event.data.removed_at,
      };
    case "ContactErasureRequested":
      return { ...contact, status: "erasing", erasure_id: event.data.erasure_id };
    case "ContactErased":
      return { ...contact, status: "erased", erasure_id: event.data.erasure_id };
    default:
      return evolveMerge(contact, event);
  }
}

function evolveMerge(contact: Contact, event: TypedEvent): Contact {
  switch (event.type) {
    case "ContactMergeStarted": {
      const { merge_id, merged_id, merged_revision } = event.data;
      return { ...contact, absorbing: { merge_id, merged_id, merged_revision } };
    }
    case "ContactMergeCanceled":
      return { ...contact, absorbing: undefined };
    case "ContactMerged": {
      const { merge_id, into, merged_at } = event.data;
      return { ...contact, status: "merged", merged: { merge_id, into }, updated_at: merged_at };
    }
    case "ContactAbsorbed": {
      const { merge_id, merged_id, name, profile, external_ids, absorbed_at } = event.data;
      const gained = parseGained(event.data.gained);
      return {
        ...contact,
        fields: { name, ...parseProfile(profile) },
        external_ids: [
          ...contact.external_ids,
          ...external_ids.map((each) => ({ ...each, from: merge_id })),
        ],
        absorbing: undefined,
        merges: [...contact.merges, { merge_id, merged_id, merged_at: absorbed_at, gained }],
        updated_at: absorbed_at,
      };
    }
    case "ContactReleased": {
      const { merge_id, name, profile, released_at } = event.data;
      return {
        ...contact,
        fields: { name, ...parseProfile(profile) },
        external_ids: contact.external_ids.filter(({ from }) => from !== merge_id),
        merges: contact.merges.filter((merge) => merge.merge_id !== merge_id),
        updated_at: released_at,
      };
    }
    case "ContactUnmerged": {
      const { lost, unmerged_at } = event.data;
      return {
        ...contact,
        status: "active",
        merged: undefined,
        external_ids: contact.external_ids.filter(({ name }) => !lost.includes(name)),
        updated_at: unmerged_at,
      };
    }
    default:
      // Consents and what a later release writes change nothing of this.
      return contact;
  }
}

const parseGained = (text: string): Gained =>
  text === erasedText ? { fields: [], attributes: {}, tags: [] } : (JSON.parse(text) as Gained);

const without = (ids: readonly OwnedId[], name: string): readonly OwnedId[] =>
  ids.filter((each) => each.name !== name);

/** What is left of a survivor without one of those that it took in. */
export function released(contact: Contact, { merge_id, gained }: ActiveMerge): Contact {
  return {
    ...contact,
    fields: withoutGained(contact.fields, gained),
    external_ids: contact.external_ids.filter(({ from }) => from !== merge_id),
    merges: contact.merges.filter((merge) => merge.merge_id !== merge_id),
  };
}

/** Whether a contact that another one is part of has let it go, and that one has not been told yet. */
export const hasLetGo = ({ absorbing, merges }: Contact, mergeId: string): boolean =>
  absorbing?.merge_id !== mergeId && merges.every(({ merge_id }) => merge_id !== mergeId);

/** Whose key its present texts are sealed under: its own, or while others are part of it one that it shares with them. */
export const ownersOf = (contact: Pick<Contact, "contact_id" | "merges">): readonly string[] => [
  contact.contact_id,
  ...contact.merges.map(({ merged_id }) => merged_id).sort(),
];

/** How a contact is shown. */
export function contactView({ contact_id, fields, external_ids, ...rest }: Contact) {
  return {
    id: contact_id,
    external_ids: external_ids.map(({ source, id, added_at }) => ({ source, id, added_at })),
    ...fields,
    attributes: attributeValues(fields),
    created_at: rest.created_at,
    updated_at: rest.updated_at,
  };
}
