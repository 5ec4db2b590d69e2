import { lifecycleTypeNames } from "@heliograph/domain";
import { z } from "zod";

export const EventTypeName = z.enum(lifecycleTypeNames);

const maxUrlLength = 2048;
const maxHeaders = 20;

/** What is wrong with an endpoint's URL, or undefined. Which addresses it may lead to is decided when it is dialled: DNS changes. */
function urlFault(text: string): string | undefined {
  if (!URL.canParse(text)) return "must be an absolute URL";
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:")
    return "must begin with https:// or http://";
  if (url.username !== "" || url.password !== "") return "must not hold credentials";
  if (text.includes("#")) return "must not hold a fragment";
  if (url.href.length > maxUrlLength) return `must have at most ${maxUrlLength} characters`;
  return undefined;
}

const Url = z
  .string()
  .max(maxUrlLength)
  .superRefine((text, context) => {
    const message = urlFault(text);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });

/** Ours (the signature's, and what the HTTP client decides) and those that would change the connection. */
const reserved =
  /^(?:webhook-.*|host|content-.*|transfer-encoding|connection|keep-alive|proxy-.*|te|trailer|upgrade|expect|user-agent|accept-encoding)$/i;
const token = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/; // RFC 9110, section 5.6.2
const visible = /^[\x21-\x7e](?:[\x20-\x7e\t]{0,1022}[\x21-\x7e])?$/;

const Headers = z.record(z.string(), z.string()).superRefine((headers, context) => {
  const names = Object.keys(headers);
  const fault = (path: string[], message: string): void =>
    context.addIssue({ code: "custom", path, message });
  if (names.length > maxHeaders) fault([], `at most ${maxHeaders} headers`);
  if (new Set(names.map((name) => name.toLowerCase())).size < names.length)
    fault([], "a header may be named once, whatever its case");
  for (const name of names) {
    if (!token.test(name)) fault([name.slice(0, 64)], "is not a header name");
    else if (reserved.test(name)) fault([name], "is set by Heliograph");
    if (!visible.test(headers[name]!))
      fault([name.slice(0, 64)], "must be 1 to 1024 visible ASCII characters on one line");
  }
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
    description: settings.description.nullable().optional(),
    rate_limit: settings.rate_limit.nullable().optional(),
    headers: settings.headers.optional(),
    status: z.enum(["enabled", "disabled"]).optional(),
  })
  .meta({ id: "UpdateWebhookEndpoint" });
export type UpdateEndpoint = z.infer<typeof UpdateEndpoint>;

const shown = {
  id: z.string(),
  url: z.string(),
  event_types: z.array(z.string()).meta({ description: "Empty: every type." }),
  status: z.enum(["enabled", "disabled"]),
  disabled_reason: z.string().nullable(),
  description: z.string().nullable(),
  rate_limit: z.int().nullable(),
  headers: z.record(z.string(), z.string()),
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
