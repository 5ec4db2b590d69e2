import { z } from "zod";
import { defineEvent } from "../define.ts";
import { masked, plainText } from "../plain.ts";
import { Channel, Id, Time } from "./common.ts";

const MetadataValue = z.union([z.string().max(255), z.number(), z.boolean()]);
/** What an event has to have to be told to an endpoint: something of each list, and of metadata every key with one of its values. */
export const EndpointFilters = z.strictObject({
  channels: z.array(Channel).min(1).max(10).optional(),
  tags: z.array(z.string().min(1).max(64)).min(1).max(20).optional(),
  metadata: z
    .record(
      z.string().min(1).max(64),
      z.union([MetadataValue, z.array(MetadataValue).min(1).max(20)]),
    )
    .optional(),
});
export type EndpointFilters = z.infer<typeof EndpointFilters>;

const endpoint = {
  // Some receivers are let in by what stands behind the host.
  url: plainText(z.string().max(2048), (url) => URL.parse(url)?.origin ?? masked),
  event_types: z
    .array(plainText(z.string().max(64)))
    .max(50)
    .optional(),
  filters: EndpointFilters.optional(),
  description: z.string().max(500).optional(),
  rate_limit: z.int().min(1).max(10_000).optional(),
  concurrency_limit: z.int().min(1).max(32).optional(),
  asymmetric_signature: z.boolean().optional(),
  ordering: z.enum(["per_subject"]).optional(),
  batch: z
    .strictObject({
      max_events: z.int().min(1).max(100),
      max_wait_ms: z.int().min(50).max(60_000),
    })
    .optional(),
  http2: z.boolean().optional(),
  timestamped_signature_header: plainText(z.string().max(64)).optional(),
  headers: z
    .record(z.string(), z.string())
    .optional()
    .meta({ description: "Only in events from before they were sealed." }),
  sealed_headers: z
    .string()
    .optional()
    .meta({ description: "The partner's own request headers, a JSON object, sealed." }),
};
/** Stream `endpoint-<id>`. `secret` and `sealed_headers` are sealed with the platform's master key (AES-256-GCM), never plain. */
export const WebhookEndpointCreated = defineEvent(
  "WebhookEndpointCreated",
  1,
  "A webhook endpoint was added.",
  z.strictObject({ endpoint_id: Id, ...endpoint, secret: z.string(), created_at: Time }),
);
export const WebhookEndpointUpdated = defineEvent(
  "WebhookEndpointUpdated",
  1,
  "A webhook endpoint was changed: the whole new settings.",
  z.strictObject({ endpoint_id: Id, ...endpoint, status: z.enum(["enabled", "disabled"]) }),
);
export const WebhookSecretRotated = defineEvent(
  "WebhookSecretRotated",
  1,
  "A new secret; the previous one signs too until it expires.",
  z.strictObject({ endpoint_id: Id, secret: z.string(), previous_secret_expires_at: Time }),
);
/** What an endpoint holds that is sealed, after the master key was rotated: the same texts under the new one. */
export const WebhookEndpointResealed = defineEvent(
  "WebhookEndpointResealed",
  1,
  "The secrets of an endpoint were sealed with a new master key; they are the same.",
  z.strictObject({
    endpoint_id: Id,
    secrets: z
      .array(z.string())
      .min(1)
      .max(10)
      .meta({ description: "All that the endpoint has, the current one first." }),
    sealed_headers: z.string().optional(),
  }),
);
export const WebhookEndpointDisabled = defineEvent(
  "WebhookEndpointDisabled",
  1,
  "The platform disabled an endpoint.",
  z.strictObject({ endpoint_id: Id, url: z.string(), reason: z.string() }),
);
/** Beside the change that says so too: a notice for its owner. */
export const WebhookEndpointEnabled = defineEvent(
  "WebhookEndpointEnabled",
  1,
  "An endpoint that was disabled was enabled again.",
  z.strictObject({ endpoint_id: Id, url: z.string() }),
);
export const WebhookEndpointFailing = defineEvent(
  "WebhookEndpointFailing",
  1,
  "Nothing but failures came from an endpoint for a part of the time after which it is disabled.",
  z.strictObject({ endpoint_id: Id, url: z.string(), since: Time, error: z.string().max(64) }),
);
export const WebhookEndpointRecovered = defineEvent(
  "WebhookEndpointRecovered",
  1,
  "An endpoint that was told of as failing took a delivery.",
  z.strictObject({ endpoint_id: Id, url: z.string(), since: Time }),
);
export const WebhookEndpointDeleted = defineEvent(
  "WebhookEndpointDeleted",
  1,
  "A webhook endpoint was removed.",
  z.strictObject({ endpoint_id: Id }),
);
export const WebhookTestRequested = defineEvent(
  "WebhookTestRequested",
  1,
  "The partner asked for a test delivery.",
  z.strictObject({ endpoint_id: Id, delivery_id: Id, type: z.string().max(64) }),
);
export const WebhookRetryRequested = defineEvent(
  "WebhookRetryRequested",
  1,
  "The partner asked for one delivery to be tried again.",
  z.strictObject({ endpoint_id: Id, delivery_id: Id }),
);
/** Stream `endpoint-<replay id>`, before the retries that the replay consists of: a replay that matches nothing is there too. */
export const WebhookReplayRequested = defineEvent(
  "WebhookReplayRequested",
  1,
  "The partner asked for every delivery that matches to be tried again; the retries follow in its stream.",
  z.strictObject({ endpoint_id: Id, replay_id: Id }),
);
/** Stream `endpoint-<replay id>`. */
export const WebhookReplayCanceled = defineEvent(
  "WebhookReplayCanceled",
  1,
  "The partner canceled a replay: what of it was not sent yet is not sent.",
  z.strictObject({ endpoint_id: Id, replay_id: Id }),
);
