import { channels, gatewayTroubles, lostFileReasons } from "@heliograph/contracts";
import { z } from "zod";
import type { LifecycleType } from "./lifecycle.ts";

/**
 * What the `data` of each lifecycle event looks like to its receivers: OpenAPI's webhooks and the AsyncAPI document are made from these. Fields may be added to any of them, none is
 * renamed or removed, so receivers must pass over what they do not know. A test holds the mapping to these.
 */
const Time = z.string().meta({ format: "date-time", description: "RFC 3339, UTC." });
const Money = z.string().meta({
  pattern: String.raw`^-?\d+(\.\d{1,6})?$`,
  description: "Decimal text, at most six decimals.",
});
const Currency = z.string().meta({ description: "ISO 4217.", example: "USD" });
const id = (prefix: string) =>
  z
    .string()
    .meta({ pattern: `^${prefix}_[0-9A-HJKMNP-TV-Z]{26}$`, description: `\`${prefix}_…\`` });

const Segments = z.looseObject({
  count: z.int().min(1),
  encoding: z.enum(["GSM-7", "UCS-2", "none"]),
  characters: z.int().min(0),
  replaced: z
    .array(z.looseObject({ from: z.string(), to: z.string(), count: z.int() }))
    .optional()
    .meta({ description: "What smart encoding has put in the place of what." }),
});

const Failure = z.looseObject({
  code: z.string(),
  class: z
    .enum(["recipient", "content", "provider", "gateway", "account", "timeout", "platform"])
    .meta({ description: "Who can do something about it." }),
  permanent: z.boolean(),
  billable: z.literal(true).optional().meta({
    description:
      "The provider charges for the attempt although it failed, so the price of the message is not given back. Missing: it is.",
  }),
  provider: z
    .looseObject({ name: z.string(), code: z.string().optional(), text: z.string().optional() })
    .optional()
    .meta({ description: "What the provider said, in its own words." }),
});

const message = {
  message_id: id("msg"),
  channel: z.enum(channels),
  to: z.string(),
  client_ref: z.string().nullable().meta({ description: "Yours, from the request." }),
  metadata: z
    .record(z.string(), z.unknown())
    .meta({ description: "Yours, from the request; `{}` when there was none." }),
};
const gateway = {
  gateway_id: id("gtw"),
  name: z.string(),
  channel: z.enum(channels),
  since: Time.meta({ description: "When messages began to keep away from it: RFC 3339, UTC." }),
};
const price = { cost: Money, currency: Currency };
const charge = {
  cost: Money.optional().meta({
    description:
      "What it costs nevertheless, because a provider charges for an attempt that failed. Missing: nothing.",
  }),
  currency: Currency.optional().meta({ description: "Of `cost`." }),
};
const provider = {
  gateway: z.string(),
  name: z.string(),
  message_id: z.string().meta({ description: "The provider's id of the message." }),
  status: z.string().meta({ description: "As the provider returned it." }),
};
const confirmation = z.looseObject({
  ...provider,
  name: z.string().optional().meta({ description: "Missing in older events." }),
  status: z.string().optional().meta({
    description: "What the provider's receipt says. Missing in older events.",
    example: "delivered",
  }),
});

const Outcome = z.enum(["sent", "failed", "delivered", "bounced", "read"]);

const ExternalId = z.looseObject({
  source: z.string().meta({ description: "A channel, or a system of yours.", example: "sms" }),
  id: z.string().meta({ description: "`[erased]` after the contact's erasure." }),
});
const Agent = z.looseObject({ id: id("agt"), name: z.string() });
const conversation = { conversation_id: id("cnv"), contact_id: id("cnt") };
const file = {
  message_id: id("msg").meta({ description: "The message that it came with." }),
  contact_id: id("cnt"),
  channel: z.enum(channels),
  attachment_id: id("att"),
};
const Personal = z.string().meta({ description: "`[erased]` after the contact's erasure." });

export const lifecycleData: Readonly<Record<LifecycleType, z.ZodObject>> = {
  // A scheduled message that became due told its price when it was scheduled.
  "message.queued": z.looseObject({
    ...message,
    cost: Money.optional(),
    currency: Currency.optional(),
    segments: Segments.optional(),
  }),
  "message.scheduled": z.looseObject({ ...message, send_at: Time, ...price, segments: Segments }),
  "message.sent": z.looseObject({
    ...message,
    provider: z.looseObject(provider),
    attempt: z.int().min(1),
    cost: Money.meta({
      description: "The price of the message, taken once however often it is sent.",
    }),
    currency: Currency,
  }),
  "message.delivered": z.looseObject({ ...message, provider: confirmation, delivered_at: Time }),
  "message.read": z.looseObject({ ...message, provider: confirmation, read_at: Time }),
  "message.failed": z.looseObject({
    ...message,
    error: Failure,
    retry_count: z.int().min(0),
    refund: z.looseObject({ amount: Money, currency: Currency, transaction_id: id("wtx") }),
    ...charge,
  }),
  "message.bounced": z.looseObject({ ...message, error: Failure, diagnostic: z.string() }),
  "message.expired": z.looseObject({
    ...message,
    attempts: z.int().min(0),
    expires_at: Time,
    ...charge,
  }),
  "message.rejected": z.looseObject({ ...message, error: Failure, ...charge }),
  "message.corrected": z.looseObject({
    ...message,
    status: Outcome.meta({
      description: "What became of it, higher or lower than before; `sent`: it is not known.",
    }),
    previous: z
      .looseObject({ status: Outcome, error: Failure.optional() })
      .meta({ description: "What was told." }),
    reason: z.string().meta({ description: "Why, for people." }),
    error: Failure.optional().meta({ description: "Of one that failed or bounced." }),
    diagnostic: z.string().optional().meta({ description: "Of one that bounced." }),
    provider: z.looseObject({ gateway: z.string(), message_id: z.string() }),
    occurred_at: Time.meta({ description: "When it happened, by the provider: RFC 3339, UTC." }),
    cost: Money.meta({ description: "What it costs from now on." }),
    currency: Currency,
  }),
  "key.expiring": z.looseObject({
    key_id: id("key"),
    name: z.string(),
    prefix: z.string(),
    expires_at: Time,
    notice_days: z.int().min(1).meta({
      description: "It is told when so many days are left: 7, and again 1.",
    }),
  }),
  "gateway.degraded": z.looseObject({
    ...gateway,
    reason: z.enum(gatewayTroubles).meta({
      description:
        "`failing`: half of its last calls failed by its own fault; `unreachable`: no connection could be made; `slow`: half of its last calls were slow by its own measure.",
    }),
  }),
  "gateway.recovered": z.looseObject(gateway),
  "wallet.low_balance": z.looseObject({
    available: Money,
    threshold: Money.meta({ description: "`low_balance_threshold` of the wallet's settings." }),
    currency: Currency,
  }),
  "message.canceled": z.looseObject(message),
  "webhook_endpoint.disabled": z.looseObject({
    endpoint_id: id("whe"),
    url: z.string(),
    reason: z.string(),
  }),
  "webhook_endpoint.enabled": z.looseObject({ endpoint_id: id("whe"), url: z.string() }),
  "webhook_endpoint.failing": z.looseObject({
    endpoint_id: id("whe"),
    url: z.string(),
    since: Time.meta({ description: "Of the first failure since the last success." }),
    error: z.string().meta({ description: "What it failed with last, as statistics name it." }),
  }),
  "webhook_endpoint.recovered": z.looseObject({
    endpoint_id: id("whe"),
    url: z.string(),
    since: Time.meta({ description: "It had failed since then." }),
  }),
  "message.received": z.looseObject({
    message_id: id("msg"),
    ...conversation,
    channel: z.enum(channels),
    from: Personal,
    to: z.string().meta({ description: "Your address that was written to." }),
    text: Personal.nullable(),
    subject: Personal.optional(),
    html: Personal.optional(),
    media: z.array(
      z.looseObject({
        url: z.string().meta({
          description:
            "Where it is; with `attachment_id` the path at which the API tells of it, with a link to its content, to whoever has a key.",
        }),
        attachment_id: z.string().optional().meta({
          description: "Where it is kept here: the name that the API knows it by.",
        }),
        type: z.string().optional(),
        name: z.string().optional(),
        bytes: z.int().optional(),
      }),
    ),
    provider: z.looseObject({ gateway: z.string(), name: z.string(), message_id: z.string() }),
    received_at: Time,
  }),
  "message.file_kept": z.looseObject({
    ...file,
    type: z.string().meta({ description: "By its bytes, whatever was declared." }),
    bytes: z.int().min(0),
    kept_at: Time,
  }),
  "message.file_lost": z.looseObject({
    ...file,
    reason: z.enum(lostFileReasons).meta({
      description: "As `not_kept` of the message's `media` says it.",
    }),
    lost_at: Time,
  }),
  "contact.created": z.looseObject({
    contact_id: id("cnt"),
    external_ids: z.array(ExternalId),
    name: Personal.nullable(),
    message_id: id("msg").optional().meta({ description: "The inbound message that made it." }),
  }),
  "contact.matched": z.looseObject({
    contact_id: id("cnt"),
    external_id: ExternalId,
    message_id: id("msg"),
    conversation_id: id("cnv"),
  }),
  "contact.merged": z.looseObject({
    contact_id: id("cnt").meta({ description: "The survivor." }),
    merged_id: id("cnt"),
    merge_id: id("mrg"),
    moved: z.looseObject({ external_ids: z.int(), conversations: z.int(), messages: z.int() }),
  }),
  "contact.unmerged": z.looseObject({
    contact_id: id("cnt").meta({ description: "The survivor." }),
    unmerged_id: id("cnt"),
    merge_id: id("mrg"),
  }),
  "contact.erased": z.looseObject({
    contact_id: id("cnt"),
    erasure_id: id("ers"),
    key_destroyed_at: Time,
  }),
  "conversation.opened": z.looseObject({
    ...conversation,
    channel: z.enum(channels),
    inbox: z.string().meta({ description: "Your address that was written to." }),
    address: ExternalId,
    message_id: id("msg").nullable(),
    opened_at: Time,
  }),
  "conversation.assigned": z.looseObject({
    ...conversation,
    agent: Agent,
    previous_agent: Agent.optional(),
    team_id: id("tea").optional(),
    reason: z.string(),
    assigned_at: Time,
  }),
  "conversation.unassigned": z.looseObject({
    ...conversation,
    previous_agent: Agent.optional(),
    reason: z.string(),
    unassigned_at: Time,
  }),
  "conversation.closed": z.looseObject({ ...conversation, reason: z.string(), closed_at: Time }),
  "conversation.reopened": z.looseObject({
    ...conversation,
    reason: z.string(),
    message_id: id("msg").nullable(),
    reopened_at: Time,
  }),
  "conversation.snoozed": z.looseObject({ ...conversation, until: Time, snoozed_at: Time }),
  "conversation.overdue": z.looseObject({
    ...conversation,
    target: z.enum(["first_response", "resolution"]),
    due_at: Time,
    agent: Agent.optional(),
  }),
};
