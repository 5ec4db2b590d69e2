import { z } from "zod";
import { defineEvent } from "../define.ts";
import { plainText } from "../plain.ts";
import { Channel, Id, Time } from "./common.ts";

export const TemplateVariable = z.strictObject({
  type: z.enum(["string", "number", "boolean"]),
  required: z.boolean().optional(),
  max_length: z.int().min(1).max(4096).optional(),
  example: z.string().max(255).optional(),
});
export const TemplateBody = z.strictObject({
  text: z.string().max(10_000).optional(),
  subject: z.string().max(998).optional(),
  html: z.string().max(200_000).optional(),
});
const version = {
  template_id: Id,
  slug: plainText(z.string().max(64)),
  version: z.int().min(1),
  languages: z.record(z.string(), TemplateBody),
  variables: z.record(z.string(), TemplateVariable),
};
/** Stream `template-<id>`; the id is derived from partner, channel, slug and how many of that name were deleted before. */
export const TemplateCreated = defineEvent(
  "TemplateCreated",
  1,
  "A template with its first version.",
  z.strictObject({
    ...version,
    channel: Channel,
    default_language: plainText(z.string()),
    description: z.string().max(500).optional(),
    created_at: Time,
  }),
);
export const TemplateVersionAdded = defineEvent(
  "TemplateVersionAdded",
  1,
  "A further version of a template.",
  z.strictObject({
    ...version,
    /** Of this version on; left out by earlier releases: as the template was created. */
    default_language: plainText(z.string()).optional(),
    /** The same; null: it has none. */
    description: z.string().max(500).nullable().optional(),
    created_at: Time,
  }),
);
/** The last event of its stream. The slug may be given to a new template, which has another id. */
export const TemplateDeleted = defineEvent(
  "TemplateDeleted",
  1,
  "A template is no more; messages that were accepted keep their text.",
  z.strictObject({
    template_id: Id,
    slug: version.slug,
    channel: Channel,
    deleted_at: Time,
  }),
);
