import { EndpointFilters } from "@heliograph/contracts";
import { lifecycleFamilies, lifecycleTypeNames } from "@heliograph/domain";
import { z } from "zod";
import { largestLimit } from "../lane.ts";
import { nameFault, sumFault, valueFault } from "../headers.ts";

export const EventTypeName = z.enum(lifecycleTypeNames);
export const EventTypeNames = z
  .array(z.enum([...lifecycleFamilies, ...lifecycleTypeNames]).meta({ id: "WebhookEventTypeName" }))
  .max(50)
  .refine((types) => new Set(types).size === types.length, "names a type twice");

const typesMeaning =
  "Types, or families of them as `message.*`, which stands for types of later releases too. Empty: every type.";
const filtersMeaning =
  "Only events with one of `channels`, one of `tags`, and each key of `metadata` with its value or one of them. What is left out asks for nothing; an event that has no channel, tags or metadata does not pass where they are asked for.";

const maxUrlLength = 2048;
const maxHeaders = 20;
/** Filters are looked at for each event of the partner. */
const maxFilterBytes = 4_096;
const maxFilterKeys = 10;

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
  const together = sumFault(headers);
  if (together !== undefined) fault([], together);
  for (const name of names)
    for (const message of [nameFault(name), valueFault(headers[name]!)])
      if (message !== undefined) fault([name.slice(0, 64)], message);
});

const Filters = EndpointFilters.superRefine((filters, context) => {
  const fault = (path: string[], message: string): void =>
    context.addIssue({ code: "custom", path, message });
  if (Object.keys(filters).length === 0) fault([], "must name channels, tags or metadata");
  if (filters.metadata !== undefined) {
    const keys = Object.keys(filters.metadata).length;
    if (keys < 1 || keys > maxFilterKeys) fault(["metadata"], `1 to ${maxFilterKeys} keys`);
  }
  if (Buffer.byteLength(JSON.stringify(filters)) > maxFilterBytes)
    fault([], `at most ${maxFilterBytes} bytes as JSON`);
}).meta({ id: "WebhookFilters", description: filtersMeaning });

/** Standard Webhooks 1.0: 24 to 64 bytes. Only the usual form of base64, so that every library reads the same key. */
const Secret = z
  .string()
  .max(100)
  .refine((text) => {
    const bytes = Buffer.from(text.slice(6), "base64");
    const usual = text === `whsec_${bytes.toString("base64")}`;
    return usual && bytes.length >= 24 && bytes.length <= 64;
  }, "must be whsec_ and 24 to 64 bytes in base64")
  .meta({
    description:
      "One of yours: `whsec_` and 24 to 64 random bytes in base64. Left out: we make one.",
    example: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  });

const HeaderName = z
  .string()
  .max(64)
  .superRefine((name, context) => {
    const message = nameFault(name);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });
const asymmetricMeaning =
  "Whether `webhook-signature` has a `v1a` (Ed25519) beside each `v1`: a receiver that has `public_keys` alone verifies it and cannot sign.";
const timestampedMeaning =
  "A header of this name carries `t=<seconds>,v1=<hex>` too: HMAC-SHA256 over `<seconds>.<body>` with the whole text of the secret as the key, for receivers that were made for it. null: none.";

const orderingMeaning =
  "`per_subject`: the next event of a message, contact, conversation or wallet waits until the one before is delivered or given up. null: events are sent as they come, beside each other.";

const http2Meaning =
  "Whether the receiver may choose HTTP/2 when the connection is opened: then up to as many requests as it allows share one. Over https:// alone; a receiver that does not choose it is called as without.";

const batchMeaning =
  'Several events in one request, `{"events": […]}`, signed once: until there are `max_events`, or the first has waited for `max_wait_ms`. null: a request for each. Not together with `ordering`.';
const Batch = z
  .strictObject({
    max_events: z.int().min(1).max(100).optional(),
    max_wait_ms: z.int().min(50).max(60_000).optional(),
  })
  .meta({
    id: "WebhookBatch",
    description: "What is left out: 100 events, a second.",
    example: { max_events: 100, max_wait_ms: 1_000 },
  });

const settings = {
  url: Url,
  event_types: EventTypeNames,
  filters: Filters,
  description: z.string().max(500),
  rate_limit: z.int().min(1).max(10_000),
  concurrency_limit: z.int().min(1).max(largestLimit),
  asymmetric_signature: z.boolean(),
  timestamped_signature_header: HeaderName,
  ordering: z.enum(["per_subject"]),
  batch: Batch,
  http2: z.boolean(),
  headers: Headers,
};

export const CreateEndpoint = z
  .strictObject({
    url: settings.url,
    event_types: settings.event_types.optional().meta({ description: typesMeaning }),
    types: settings.event_types.optional().meta({ description: "The same as `event_types`." }),
    filters: settings.filters.optional(),
    description: settings.description.optional(),
    rate_limit: settings.rate_limit.optional().meta({ description: "Most requests a second." }),
    concurrency_limit: settings.concurrency_limit
      .optional()
      .meta({ description: "Most requests at once." }),
    asymmetric_signature: settings.asymmetric_signature
      .optional()
      .meta({ description: asymmetricMeaning }),
    timestamped_signature_header: settings.timestamped_signature_header
      .optional()
      .meta({ description: timestampedMeaning }),
    ordering: settings.ordering.optional().meta({ description: orderingMeaning }),
    batch: settings.batch.optional().meta({ description: batchMeaning }),
    http2: settings.http2.optional().meta({ description: http2Meaning }),
    headers: settings.headers.optional(),
    secret: Secret.optional(),
  })
  .meta({ id: "CreateWebhookEndpoint" });
export type CreateEndpoint = z.infer<typeof CreateEndpoint>;

export const UpdateEndpoint = z
  .strictObject({
    url: settings.url.optional(),
    event_types: settings.event_types.optional(),
    types: settings.event_types.optional().meta({ description: "The same as `event_types`." }),
    filters: settings.filters.nullable().optional(),
    description: settings.description.nullable().optional(),
    rate_limit: settings.rate_limit.nullable().optional(),
    concurrency_limit: settings.concurrency_limit.nullable().optional(),
    asymmetric_signature: settings.asymmetric_signature.optional(),
    timestamped_signature_header: settings.timestamped_signature_header.nullable().optional(),
    ordering: settings.ordering.nullable().optional().meta({ description: orderingMeaning }),
    batch: settings.batch.nullable().optional().meta({ description: batchMeaning }),
    http2: settings.http2.optional().meta({ description: http2Meaning }),
    headers: settings.headers
      .optional()
      .meta({ description: "All of them; `***` keeps the value that a header has." }),
    status: z.enum(["enabled", "disabled"]).optional(),
  })
  .meta({
    id: "UpdateWebhookEndpoint",
    example: {
      event_types: ["message.*"],
      filters: { channels: ["sms"] },
      rate_limit: 10,
      description: "Order updates",
    },
  });
export type UpdateEndpoint = z.infer<typeof UpdateEndpoint>;

const shown = {
  id: z.string(),
  url: z.string(),
  event_types: z.array(z.string()).meta({ description: typesMeaning }),
  types: z.array(z.string()).meta({ description: "The same as `event_types`." }),
  filters: Filters.nullable(),
  status: z.enum(["enabled", "disabled"]),
  disabled_reason: z.string().nullable(),
  description: z.string().nullable(),
  rate_limit: z.int().nullable(),
  concurrency_limit: z.int().nullable().meta({
    description: "Most requests at once; null: as many as it has earned by answering, 32 at most.",
  }),
  asymmetric_signature: z.boolean().meta({ description: asymmetricMeaning }),
  public_keys: z
    .array(z.object({ public_key: z.string(), expires_at: z.string().nullable() }))
    .meta({
      description:
        "What verifies `v1a`, each as `whpk_` and the 32 bytes of the key in base64, the current one first; those of earlier secrets until the overlap ends.",
    }),
  timestamped_signature_header: z.string().nullable().meta({ description: timestampedMeaning }),
  ordering: settings.ordering.nullable().meta({ description: orderingMeaning }),
  batch: z
    .object({ max_events: z.int(), max_wait_ms: z.int() })
    .nullable()
    .meta({ description: batchMeaning }),
  http2: settings.http2.meta({ description: http2Meaning }),
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
  .strictObject({
    overlap_seconds: z.int().min(0).max(maxOverlapSeconds).optional(),
    secret: Secret.optional(),
  })
  .meta({ id: "RotateWebhookSecret" });
