import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Channel, Id } from "./common.ts";

/** Versions that are no longer written. They are read for ever, so what they say must also be true of the version after. */

/** Its kind is one of three, and credentials are named by their place in the settings of the process. */
export const GatewayConfiguredV1 = defineEvent(
  "GatewayConfigured",
  1,
  "A gateway was added or changed.",
  z.strictObject({
    gateway_id: Id,
    environment: z.enum(["live", "sandbox"]),
    name: z.string().max(64),
    channel: Channel,
    kind: z.enum(["simulator", "smtp", "log"]),
    enabled: z.boolean(),
    weight: z.int().min(0).max(1000),
    max_per_second: z.number().min(0.01).max(1_000_000).optional(),
    max_concurrent: z.int().min(1).max(10_000),
    timeout_ms: z.int().min(100).max(120_000),
    on_uncertain: z.enum(["ask_provider", "at_most_once", "at_least_once"]),
    settings: z.record(z.string(), z.unknown()),
  }),
);
