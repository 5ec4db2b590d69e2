import { channels, environments } from "@heliograph/contracts";
import { z } from "zod";
import { statuses } from "./status.ts";

/** An amount of money, as the schemas of messages show it. */
export const Money = z
  .string()
  .meta({ description: "A decimal with at most six places.", example: "0.012" });
/** A time, as the schemas of messages show it. */
export const Time = z
  .string()
  .meta({ description: "RFC 3339, UTC.", example: "2026-05-23T14:22:17.000Z" });

export const Failure = z
  .object({
    code: z.string().meta({ description: "Why, in our words.", example: "recipient_unreachable" }),
    class: z.enum([
      "recipient",
      "content",
      "provider",
      "gateway",
      "account",
      "timeout",
      "platform",
    ]),
    permanent: z.boolean(),
    billable: z.literal(true).optional().meta({
      description:
        "The provider charges for the attempt although it failed, so the price of the message is not given back.",
    }),
    provider: z
      .object({
        name: z.string().meta({ description: "As in `provider.name`.", example: "simulator-sms" }),
        code: z.string().optional().meta({ description: "The provider's code.", example: "30005" }),
        text: z.string().optional().meta({ description: "The provider's own words." }),
      })
      .optional()
      .meta({ description: "What the provider said." }),
  })
  .meta({ id: "MessageFailure" });

export const MessageSegments = z.object({
  count: z.int(),
  encoding: z.string(),
  characters: z.int(),
  national: z
    .object({
      locking: z.int().optional().meta({ description: "The locking shift table." }),
      single: z.int().optional().meta({ description: "The single shift table." }),
    })
    .optional()
    .meta({
      description:
        "National language tables of GSM-7 that it is sent with, by their numbers in 3GPP TS 23.038: 1 Turkish, 2 Spanish, 3 Portuguese.",
      example: { single: 1 },
    }),
  replaced: z
    .array(z.object({ from: z.string(), to: z.string(), count: z.int() }))
    .optional()
    .meta({ description: "What smart encoding has put in the place of what." }),
});

export const SenderPoolOfMessage = z
  .object({
    pool_id: z.string().meta({
      description: "The pool's id.",
      example: "spl_01HNQX2P8Y9R3T4V5W6Z7A8B9C",
    }),
    name: z.string(),
    gateway_id: z
      .string()
      .optional()
      .meta({ description: "Whose pool it is, where it is a gateway's." }),
    reason: z.string().meta({
      description: "Why it is this sender of the pool.",
      example: "2 of 3, by the recipient",
    }),
  })
  .meta({ description: "The pool that `from` was taken of." });

export const SenderRuleOfMessage = z
  .object({
    country_prefix: z.string(),
    replaced: z.string().optional().meta({ description: "What the message asked for." }),
    reason: z.string().meta({
      description: "What is wrong with another one.",
      example: "numbers of +1 take no names as senders",
    }),
  })
  .meta({ description: "Why `from` is what the recipient's country takes." });

const shown = {
  id: z
    .string()
    .meta({ description: "The message's id.", example: "msg_01HNQX2P8Y9R3T4V5W6Z7A8B9C" }),
  status: z.enum(statuses),
  channel: z.enum(channels).meta({ description: "How the message travels.", example: "whatsapp" }),
  to: z.string(),
  from: z.string().optional(),
  sender_pool: SenderPoolOfMessage.optional(),
  sender_rule: SenderRuleOfMessage.optional(),
  environment: z.enum(environments),
  cost: Money,
  cost_estimate: Money,
  currency: z.string(),
  segments: MessageSegments,
  provider: z
    .object({
      gateway: z.string(),
      name: z.string().meta({
        description: "The provider's name, as in every error and event.",
        example: "simulator-sms",
      }),
      message_id: z.string(),
      status: z.string().meta({ description: "As the provider returned it.", example: "accepted" }),
    })
    .optional(),
  error: Failure.optional().meta({ description: "Why it was not delivered." }),
  refund: z.object({ amount: Money, currency: z.string(), transaction_id: z.string() }).optional(),
  bounce: z.object({ diagnostic: z.string() }).optional(),
  attempts: z.int(),
  retry_count: z.int(),
  client_ref: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()),
  tags: z.array(z.string()),
  send_at: Time.optional(),
  sent_at: Time.optional(),
  delivered_at: Time.optional(),
  read_at: Time.optional(),
  created_at: Time,
  updated_at: Time,
};
export const MessageSummary = z.object(shown).meta({ id: "MessageSummary" });
const Provider = shown.provider.unwrap();
const MessageStep = z.object({
  step: z.int().meta({ description: "Its place in the order; 0 is the message's own channel." }),
  channel: shown.channel,
  to: z.string(),
  status: z.enum(["waiting", "under_way", "sent", "delivered", "failed", "expired"]),
  cost_estimate: Money.meta({ description: "What it costs if it is the one that is charged." }),
  trigger: z.enum(["failed", "expired", "no_receipt"]).optional().meta({
    description: "What became of the step before, so that this one was begun.",
  }),
  begun_at: Time.optional(),
  sent_at: Time.optional(),
  provider: Provider.optional(),
  error: Failure.optional(),
});
export const Message = z
  .object({
    ...shown,
    failover: z.array(MessageStep).optional().meta({
      description: "Of a message with `failover`: each of its steps, in their order.",
    }),
    content: z.object({
      text: z.string().optional(),
      html: z.string().optional(),
      subject: z.string().optional(),
      media: z
        .array(
          z.object({
            url: z.string().optional(),
            attachment_id: z
              .string()
              .optional()
              .meta({ description: "Of a file that was uploaded." }),
            type: z.string().optional(),
            name: z.string().optional(),
            caption: z.string().optional().meta({ description: "What stands under it." }),
            bytes: z.int().optional(),
          }),
        )
        .optional(),
      push: z
        .object({
          data: z.record(z.string(), z.string()).optional(),
          badge: z.int().optional().meta({ description: "The number on the icon." }),
          sound: z.string().optional().meta({ description: "Of the notification." }),
          channel_id: z.string().optional().meta({ description: "Of Android." }),
          collapse_key: z
            .string()
            .optional()
            .meta({ description: "A newer push with it takes the place of the older." }),
        })
        .optional()
        .meta({ description: "Of a push: what the application is told, and how it is shown." }),
      template: z
        .object({
          slug: z.string(),
          version: z.int(),
          language: z.string(),
          variables: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
        })
        .optional(),
    }),
  })
  .meta({ id: "Message" });
