import { type AttributeValue, attributeValues, parseProfile, type Profile } from "./profile.ts";

/** What lists show of the sealed `profile` of a contact. */
export type ListedProfile = Omit<Profile, "attributes"> & {
  readonly attributes: Readonly<Record<string, AttributeValue>>;
};

/** Reads an opened profile; one whose key is gone is empty. */
export function listedProfile(text: string): ListedProfile {
  const { language, time_zone, tags, client_ref, ...profile } = parseProfile(text);
  return { language, time_zone, attributes: attributeValues(profile), tags, client_ref };
}

export const emptyProfile: ListedProfile = {
  language: null,
  time_zone: null,
  attributes: {},
  tags: [],
  client_ref: null,
};
