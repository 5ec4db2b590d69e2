import { lifecycleTypeNames } from "@heliograph/domain";
import { z } from "zod";
import { nameFault, valueFault } from "../headers.ts";

export const EventTypeName = z.enum(lifecycleTypeNames);

const maxUrlLength = 2048;
const maxHeaders = 20;

/** The URL parser also reads `http:host`, backslashes, and drops blanks and tabs: what is meant then is a guess. */
const urlForm = /^https?:\/\/[^\s\\\p{Cc}]+$/iu;

/** What is wrong with an endpoint's URL, or undefined. Which addresses a name leads to is decided when it is dialled: DNS changes. */
function urlFault(text: string): string | undefined {
  if (!/^https?:\/\//i.test(text)) return "must begin with https:// or http://";
  if (!urlForm.test(text)) return "must not hold blanks, control characters or backslashes";
  if (!URL.canParse(text)) return "must be an absolute URL";
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return "must not hold credentials";
  if (text.includes("#")) return "must not hold a fragment";
  if (url.port === "0") return "must not name port 0";
  if (url.href.length > maxUrlLength) return `must have at most ${maxUrlLength} characters`;
  return undefined;
}

/** Kept in the form that is called. */
const Url = z
  .string()
  .max(maxUrlLength)
  .superRefine((text, context) => {
    const message = urlFault(text);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  })
  .transform((text) => (urlFault(text) === undefined ? new URL(text).href : text))
  .meta({ override: { type: "string", format: "uri", maxLength: maxUrlLength } });

const Headers = z.record(z.string(), z.string()).superRefine((headers, context) => {
  const names = Object.keys(headers);
  const fault = (path: string[], message: string): void =>
    context.addIssue({ code: "custom", path, message });
  if (names.length > maxHeaders) fault([], `at most ${maxHeaders} headers`);
  if (new Set(names.map((name) => name.toLowerCase())).size < names.length)
    fault([], "a header may be named once, whatever its case");
  for (const name of names)
    for (const message of [nameFault(name), valueFault(headers[name]!)])
      if (message !== undefined) fault([name.slice(0, 64)], message);
});

const settings = {
  url: Url,
  event_types: z
    .array(EventTypeName)
    .max(50)
    .refine((types) => new Set(types).size === types.length, "names a type twice"),
  description: z.string().max(500),
  rate_limit: z.int().min(1).max(10_000),
  headers: Headers,
};

export const CreateEndpoint = z
  .strictObject({
    url: settings.url,
    event_types: settings.event_types
      .optional()
      .meta({ description: "Left out or empty: every type." }),
    types: settings.event_types.optional().meta({ description: "The same as `event_types`." }),
    description: settings.description.optional(),
    rate_limit: settings.rate_limit.optional().meta({ description: "Most requests a second." }),
    headers: settings.headers.optional(),
  })
  .meta({ id: "CreateWebhookEndpoint" });
export type CreateEndpoint = z.infer<typeof CreateEndpoint>;

export const UpdateEndpoint = z
  .strictObject({
    url: settings.url.optional(),
    event_types: settings.event_types.optional(),
    types: settings.event_types.optional().meta({ description: "The same as `event_types`." }),
    description: settings.description.nullable().optional(),
    rate_limit: settings.rate_limit.nullable().optional(),
    headers: settings.headers
      .optional()
      .meta({ description: "All of them; `***` keeps the value that a header has." }),
    status: z.enum(["enabled", "disabled"]).optional(),
  })
  .meta({ id: "UpdateWebhookEndpoint" });
export type UpdateEndpoint = z.infer<typeof UpdateEndpoint>;

const shown = {
  id: z.string(),
  url: z.string(),
  event_types: z.array(z.string()).meta({ description: "Empty: every type." }),
  types: z.array(z.string()).meta({ description: "The same as `event_types`." }),
  status: z.enum(["enabled", "disabled"]),
  disabled_reason: z.string().nullable(),
  description: z.string().nullable(),
  rate_limit: z.int().nullable(),
  headers: z
    .record(z.string(), z.string())
    .meta({ description: "Their values are not shown: `***` stands for each." }),
  created_at: z.string(),
  updated_at: z.string(),
};
export const EndpointView = z.object(shown).meta({ id: "WebhookEndpoint" });
export const CreatedEndpoint = z
  .object({ ...shown, secret: z.string().meta({ description: "Shown here and by GET …/secret." }) })
  .meta({ id: "CreatedWebhookEndpoint" });

/** One second to a week: long enough for a receiver's next release. */
export const maxOverlapSeconds = 604_800;
export const RotateSecret = z
  .strictObject({ overlap_seconds: z.int().min(0).max(maxOverlapSeconds).optional() })
  .meta({ id: "RotateWebhookSecret" });
