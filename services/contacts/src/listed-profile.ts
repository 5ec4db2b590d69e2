import { z } from "zod";

const Stored = z.object({
  language: z.string().nullish(),
  time_zone: z.string().nullish(),
  attributes: z
    .record(
      z.string(),
      z.object({ value: z.union([z.string(), z.number(), z.boolean()]).nullable() }),
    )
    .nullish(),
  tags: z.array(z.string()).nullish(),
  client_ref: z.string().nullish(),
});

/** What lists show of the sealed `profile` of a contact. */
export type Profile = {
  readonly language: string | null;
  readonly time_zone: string | null;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly tags: readonly string[];
  readonly client_ref: string | null;
};
export const emptyProfile: Profile = {
  language: null,
  time_zone: null,
  attributes: {},
  tags: [],
  client_ref: null,
};

/** Reads an opened profile; one whose key is gone is empty. */
export function readProfile(text: string): Profile {
  if (!text.startsWith("{")) return emptyProfile;
  const { language, time_zone, attributes, tags, client_ref } = Stored.parse(JSON.parse(text));
  const values = Object.entries(attributes ?? {}).flatMap(([key, { value }]) =>
    value === null ? [] : [[key, value] as const],
  );
  return {
    language: language ?? null,
    time_zone: time_zone ?? null,
    attributes: Object.fromEntries(values),
    tags: tags ?? [],
    client_ref: client_ref ?? null,
  };
}
