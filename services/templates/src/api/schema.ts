import { channels } from "@heliograph/contracts";
import { z } from "zod";

const maxLanguages = 50;
const maxVariables = 50;

export const slugPattern = /^[a-z0-9][a-z0-9_-]{0,63}$/;
/** BCP 47 in its common forms, with the underscore that WhatsApp writes, in any case: `en`, `pt-BR`, `zh_Hant_TW`. */
export const Language = z
  .string()
  .regex(/^[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}$/, "must be a language such as en or pt-BR");

const Body = z.strictObject({
  text: z.string().min(1).max(10_000).optional(),
  subject: z.string().min(1).max(998).optional(),
  html: z.string().min(1).max(200_000).optional(),
});
const Variable = z.strictObject({
  type: z.enum(["string", "number", "boolean"]),
  required: z.boolean().optional(),
  max_length: z.int().min(1).max(4_096).optional(),
  example: z.string().max(255).optional(),
});

const entries = (max: number) => (value: object) => Object.keys(value).length <= max;
const version = {
  languages: z
    .record(Language, Body)
    .refine((value) => Object.keys(value).length > 0, "needs at least one language")
    .refine(entries(maxLanguages), `at most ${maxLanguages} languages`),
  variables: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, "must be a name such as order_id"),
      Variable,
    )
    .refine(entries(maxVariables), `at most ${maxVariables} variables`)
    .optional(),
};

export const CreateTemplate = z
  .strictObject({
    slug: z.string().regex(slugPattern, "lower-case letters, digits, _ and -, at most 64"),
    channel: z.enum(channels),
    default_language: Language.optional().meta({
      description: "May be left out when there is one language, or `en`.",
    }),
    description: z.string().max(500).optional(),
    ...version,
  })
  .meta({
    id: "CreateTemplate",
    example: {
      slug: "order_confirmation",
      channel: "whatsapp",
      languages: { en: { text: "Hi {{name}}, order {{order_id}} arrives in {{eta}}." } },
      variables: {
        name: { type: "string" },
        order_id: { type: "string" },
        eta: { type: "string" },
      },
    },
  });
export type CreateTemplate = z.infer<typeof CreateTemplate>;

export const AddVersion = z.strictObject(version).meta({
  id: "AddTemplateVersion",
  example: {
    languages: { en: { text: "Hello {{name}}, it arrives in {{eta}}." } },
    variables: { name: { type: "string" }, eta: { type: "string" } },
  },
});
export type AddVersion = z.infer<typeof AddVersion>;

const Part = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const Patched = z.record(z.string().max(64), z.record(z.string().max(64), Part).nullable());
/** A JSON Merge Patch (RFC 7396) of the newest version; what comes of it is held against what a version may be. */
export const ChangeTemplate = z
  .strictObject({
    languages: Patched.refine(entries(maxLanguages), `at most ${maxLanguages} languages`)
      .optional()
      .meta({
        description: "By language what changes of its body; null takes a language or a field away.",
      }),
    variables: Patched.refine(entries(maxVariables), `at most ${maxVariables} variables`)
      .optional()
      .meta({ description: "By name what changes of a variable; null takes it away." }),
    default_language: Language.optional(),
    description: z
      .string()
      .max(500)
      .nullable()
      .optional()
      .meta({ description: "null takes it away." }),
  })
  .meta({
    id: "ChangeTemplate",
    example: { languages: { "pt-BR": { text: "Oi {{name}}, chega em {{eta}}." } } },
  });
export type ChangeTemplate = z.infer<typeof ChangeTemplate>;

export const Preview = z
  .strictObject({
    language: Language.optional(),
    version: z.int().min(1).optional(),
    variables: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  })
  .meta({
    id: "PreviewTemplate",
    example: {
      language: "en",
      version: 1,
      variables: { name: "Nayeem", order_id: "TR-204821", eta: "15 minutes" },
    },
  });

const shown = {
  id: z.string(),
  slug: z.string(),
  channel: z.enum(channels),
  default_language: z.string(),
  description: z.string().nullable(),
  version: z.int(),
  variables: z.record(z.string(), Variable),
  created_at: z.string(),
  updated_at: z.string(),
};
export const TemplateView = z
  .object({ ...shown, languages: z.record(z.string(), Body) })
  .meta({ id: "Template" });
export const TemplateSummaryView = z
  .object({ ...shown, language_codes: z.array(z.string()) })
  .meta({ id: "TemplateSummary" });
export const VersionView = z
  .object({
    id: z.string(),
    slug: z.string(),
    default_language: shown.default_language,
    description: shown.description,
    version: z.int(),
    languages: z.record(z.string(), Body),
    variables: z.record(z.string(), Variable),
    created_at: z.string(),
  })
  .meta({ id: "TemplateVersion" });
export const RenderedView = z
  .object({ language: z.string(), ...Body.shape })
  .meta({ id: "RenderedTemplate" });
