import { z } from "zod";
import { defineEvent } from "../define.ts";
import { plainText } from "../plain.ts";
import { Channel, Id } from "./common.ts";

/**
 * Stream `gateway-<id>` of the `platform` namespace. The kind is text, so that a release which does not know it can read the event; it is checked where gateways are configured.
 * `secrets` are sealed, each by itself.
 */
export const GatewayConfigured = defineEvent(
  "GatewayConfigured",
  2,
  "A gateway was added or changed; what is secret is sealed.",
  z.strictObject({
    gateway_id: Id,
    environment: z.enum(["live", "sandbox"]),
    name: plainText(z.string().max(64)),
    channel: Channel,
    kind: plainText(z.string().min(1).max(32)),
    enabled: z.boolean(),
    /** Whose it is alone: what comes through it is that partner's. */
    partner_id: Id.optional(),
    weight: z.int().min(0).max(1000),
    max_per_second: z.number().min(0.01).max(1_000_000).optional(),
    max_concurrent: z.int().min(1).max(10_000),
    timeout_ms: z.int().min(100).max(120_000),
    on_uncertain: z.enum(["ask_provider", "at_most_once", "at_least_once"]),
    settings: z.record(z.string(), z.unknown()),
    secrets: z.record(z.string().max(64), z.string().max(20_000)).optional(),
  }),
);
