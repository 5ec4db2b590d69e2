import { z } from "zod";

/** Shapes of what a contact is made of, for requests and for rows of a file alike. Limits are by what a person has, with room. */
export const maxExternalIds = 50;

const Text = (most: number) =>
  z
    .string()
    .max(most)
    .refine((text) => text.isWellFormed(), "has half of a character");

export const ExternalIdInput = z
  .strictObject({ source: z.string().max(64), id: z.string().max(1_000) })
  .meta({ id: "ExternalIdInput" });

/** It stands in filters (`attribute[plan]=`) and in the head of a file. */
const AttributeName = z
  .string()
  .regex(
    /^\p{L}[\p{L}\p{N}_. -]{0,63}$/u,
    "must begin with a letter and have at most 64 letters, digits, blanks and _.-",
  );

const fields = {
  name: Text(255).nullable().optional(),
  language: z
    .string()
    .regex(/^[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}$/, "must be a language such as en or pt-BR")
    .nullable()
    .optional(),
  time_zone: z.string().max(64).nullable().optional(),
  attributes: z
    .record(AttributeName, z.union([Text(1_000), z.number(), z.boolean(), z.null()]))
    .nullable()
    .optional(),
  tags: z.array(Text(64).min(1)).max(50).nullable().optional(),
  client_ref: Text(255).nullable().optional(),
};

/** A merge patch: what is absent stays, null removes. */
export const ContactPatch = z.strictObject(fields).meta({ id: "ContactPatch" });
/** What a contact is made of, or what an upsert gives it. */
export const ContactInput = z
  .strictObject({
    external_ids: z.array(ExternalIdInput).max(maxExternalIds).optional(),
    ...fields,
  })
  .meta({ id: "ContactInput" });
export type ContactInput = z.infer<typeof ContactInput>;
