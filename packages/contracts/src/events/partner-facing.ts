import { z } from "zod";
import { defineEvent } from "../define.ts";
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
  slug: z.string().max(64),
  version: z.int().min(1),
  languages: z.record(z.string(), TemplateBody),
  variables: z.record(z.string(), TemplateVariable),
};
/** Stream `template-<id>`; the id is derived from partner, channel and slug. */
export const TemplateCreated = defineEvent(
  "TemplateCreated",
  1,
  "A template with its first version.",
  z.strictObject({
    ...version,
    channel: Channel,
    default_language: z.string(),
    description: z.string().max(500).optional(),
    created_at: Time,
  }),
);
export const TemplateVersionAdded = defineEvent(
  "TemplateVersionAdded",
  1,
  "A further version of a template.",
  z.strictObject({ ...version, created_at: Time }),
);

const endpoint = {
  url: z.string().max(2048),
  event_types: z.array(z.string().max(64)).max(50).optional(),
  description: z.string().max(500).optional(),
  rate_limit: z.int().min(1).max(10_000).optional(),
  headers: z.record(z.string(), z.string()).optional(),
};
/** Stream `endpoint-<id>`. `secret` is sealed with the platform's master key (AES-256-GCM), never plain. */
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
export const WebhookEndpointDisabled = defineEvent(
  "WebhookEndpointDisabled",
  1,
  "The platform disabled an endpoint.",
  z.strictObject({ endpoint_id: Id, url: z.string(), reason: z.string() }),
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
