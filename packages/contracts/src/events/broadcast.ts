import { z } from "zod";
import { defineEvent } from "../define.ts";
import { plainText } from "../plain.ts";
import { Category, Channel, Id, Time, maxAudienceAttributes } from "./common.ts";
import { PushOptions, sender } from "./content.ts";

/** Whom it is for; a contact must meet all that is given. */
const Audience = z.strictObject({
  tag: z.string().max(64).optional(),
  attribute: z
    .record(z.string().max(64), z.union([z.string().max(1_000), z.number(), z.boolean()]))
    .meta({ maxProperties: maxAudienceAttributes })
    .optional(),
  contact_ids: z.array(Id).max(1_000).optional(),
});

const value = z.union([z.string(), z.number(), z.boolean()]);
/** A value that each contact has of its own, or else this one. */
const OfContact = z.strictObject({ contact: z.string().max(80), default: value.optional() });

/** What each message says, as `POST /messages` takes it: it is rendered and priced when it is accepted. */
const Said = z.strictObject({
  channel: Channel,
  ...sender,
  sender_pool: z.string().max(64).optional(),
  text: z.string().optional(),
  html: z.string().optional(),
  subject: z.string().optional(),
  template: z
    .union([
      z.string().max(64),
      z.strictObject({
        slug: z.string().max(64),
        version: z.int().min(1).optional(),
        on_missing_language: z.enum(["error", "default"]).optional(),
      }),
    ])
    .optional(),
  language: z.union([z.string().max(35), OfContact]).optional(),
  variables: z.record(z.string(), z.union([value, OfContact])).optional(),
  smart_encoding: z.boolean().optional(),
  push: PushOptions.optional(),
  category: Category.optional(),
  validity_seconds: z.int().optional(),
  tags: z.array(z.string().max(64)).max(20).optional(),
});

/** Stream `broadcast-<id>`. */
export const BroadcastCreated = defineEvent(
  "BroadcastCreated",
  1,
  "A message to many contacts was drafted.",
  z.strictObject({
    broadcast_id: Id,
    name: z.string().max(255).optional(),
    audience: Audience,
    send: Said,
    /** It starts by itself then. */
    send_at: Time.optional(),
    per_second: z.int().min(1).optional(),
    created_at: Time,
  }),
);

/** Of the template, where the broadcast names none: until somebody resumes it, everybody is said this one. */
const template_version = z.int().min(1).optional();

export const BroadcastStarted = defineEvent(
  "BroadcastStarted",
  1,
  "A broadcast began: its audience are the contacts that there are now.",
  z.strictObject({ broadcast_id: Id, started_at: Time, template_version }),
);

export const BroadcastPaused = defineEvent(
  "BroadcastPaused",
  1,
  "A broadcast sends nothing until it is resumed.",
  z.strictObject({
    broadcast_id: Id,
    /** `requested`, or the error's code for which the next message would have been refused. */
    code: plainText(z.string().max(64)),
    reason: z.string().max(1_000),
    paused_at: Time,
  }),
);

export const BroadcastResumed = defineEvent(
  "BroadcastResumed",
  1,
  "A paused broadcast goes on where it was.",
  z.strictObject({ broadcast_id: Id, resumed_at: Time, template_version }),
);

export const BroadcastCanceled = defineEvent(
  "BroadcastCanceled",
  1,
  "A broadcast sends nothing more.",
  z.strictObject({ broadcast_id: Id, canceled_at: Time }),
);

export const BroadcastCompleted = defineEvent(
  "BroadcastCompleted",
  1,
  "Nobody of a broadcast's audience is left: each was sent to, failed or was skipped.",
  z.strictObject({ broadcast_id: Id, completed_at: Time }),
);
