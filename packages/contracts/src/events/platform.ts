import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Channel, Id, Money, Time } from "./common.ts";

/** The `platform` namespace: partners, keys, gateways and prices. */
export const RateLimit = z.strictObject({
  requests: z.int().min(1),
  window_seconds: z.int().min(1).max(3600),
});
export const PartnerCreated = defineEvent(
  "PartnerCreated",
  1,
  "A tenant was created.",
  z.strictObject({
    partner_id: Id,
    name: z.string().min(1).max(200),
    currency: z.string().length(3),
    rate_limit: RateLimit.optional(),
    created_at: Time,
  }),
);
export const KeyIssued = defineEvent(
  "KeyIssued",
  1,
  "An API key was issued; only its SHA-256 is kept.",
  z.strictObject({
    key_id: Id,
    partner_id: Id,
    environment: z.enum(["live", "sandbox"]),
    name: z.string().max(200),
    sha256: z.string().length(64),
    prefix: z.string().max(20),
    scopes: z.array(z.string().max(64)),
    expires_at: Time.optional(),
    allowed_cidrs: z.array(z.string().max(64)).optional(),
    created_at: Time,
  }),
);
export const KeyRevoked = defineEvent(
  "KeyRevoked",
  1,
  "An API key was revoked.",
  z.strictObject({ key_id: Id, partner_id: Id }),
);
/** The kind is text, so that a release which does not know it can read the event; it is checked where gateways are configured. `secrets` are sealed, each by itself. */
export const GatewayConfigured = defineEvent(
  "GatewayConfigured",
  2,
  "A gateway was added or changed; what is secret is sealed.",
  z.strictObject({
    gateway_id: Id,
    environment: z.enum(["live", "sandbox"]),
    name: z.string().max(64),
    channel: Channel,
    kind: z.string().min(1).max(32),
    enabled: z.boolean(),
    weight: z.int().min(0).max(1000),
    max_per_second: z.number().min(0.01).max(1_000_000).optional(),
    max_concurrent: z.int().min(1).max(10_000),
    timeout_ms: z.int().min(100).max(120_000),
    on_uncertain: z.enum(["ask_provider", "at_most_once", "at_least_once"]),
    settings: z.record(z.string(), z.unknown()),
    secrets: z.record(z.string().max(64), z.string().max(20_000)).optional(),
  }),
);
export const PriceListPublished = defineEvent(
  "PriceListPublished",
  1,
  "Prices per channel and country calling code, per segment.",
  z.strictObject({
    list: z.string().max(64),
    version: z.int().min(1),
    currency: z.string().length(3),
    entries: z.array(
      z.strictObject({ channel: Channel, prefix: z.string().max(8), per_segment: Money }),
    ),
    published_at: Time,
  }),
);
