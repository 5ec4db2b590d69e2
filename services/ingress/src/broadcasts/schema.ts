import { ListQuery, TimeInput } from "@heliograph/api";
import { maxAudienceAttributes } from "@heliograph/contracts";
import { Time } from "@heliograph/domain";
import { z } from "zod";
import { sendFields } from "../messages/schema.ts";
import { recipientStates } from "../tables/broadcasts.ts";
import { broadcastStatuses } from "./decide.ts";

const Audience = z
  .strictObject({
    tag: z.string().min(1).max(64).optional().meta({ description: "Contacts that have it." }),
    attribute: z
      .record(z.string().min(1).max(64), z.union([z.string().max(1_000), z.number(), z.boolean()]))
      .refine(
        (values) => Object.keys(values).length <= maxAudienceAttributes,
        `must be at most ${maxAudienceAttributes} attributes`,
      )
      .optional()
      .meta({
        description: `Contacts whose attributes have these values, at most ${maxAudienceAttributes}. Kept readable in the log.`,
        maxProperties: maxAudienceAttributes,
        example: { plan: "pro" },
      }),
    contact_ids: z
      .array(z.string().regex(/^cnt_[0-9A-Z]{26}$/, "must be the id of a contact"))
      .min(1)
      .max(1_000)
      .optional()
      .meta({
        description: "These contacts, each once.",
        example: ["cnt_01HNQX2P8Y9R3T4V5W6Z7A8B9C"],
      }),
  })
  .meta({
    id: "Audience",
    description: "A contact must meet all that is given; with nothing given, it is every contact.",
  });

const Value = z.union([z.string().max(4096), z.number(), z.boolean()]);
const ValueOfContact = z
  .strictObject({
    contact: z
      .string()
      .regex(
        /^(name|language|client_ref|attributes\..{1,64})$/s,
        "must be name, language, client_ref or attributes.<name>",
      )
      .meta({
        description: "What of the contact: `name`, `language`, `client_ref`, `attributes.<name>`.",
        example: "attributes.plan",
      }),
    default: Value.optional().meta({
      description: "Of contacts that have none; without it they are skipped.",
    }),
  })
  .meta({ id: "ValueOfContact" });
const LanguageOfContact = z
  .strictObject({
    contact: z.literal("language"),
    default: z
      .string()
      .min(2)
      .max(35)
      .optional()
      .meta({ description: "Default: the template's own." }),
  })
  .meta({
    id: "LanguageOfContact",
    description:
      "Each in their own language, where the template has it or, as `pt` for `pt-BR`, the one it belongs to.",
  });

const said = {
  channel: sendFields.channel,
  from: sendFields.from,
  sender_pool: sendFields.sender_pool,
  reply_to: sendFields.reply_to,
  unsubscribe_url: sendFields.unsubscribe_url,
  text: sendFields.text,
  html: sendFields.html,
  subject: sendFields.subject,
  template: sendFields.template,
  language: z.union([z.string().min(2).max(35), LanguageOfContact]).optional(),
  variables: z
    .record(z.string().max(64), z.union([Value, ValueOfContact]))
    .optional()
    .meta({
      description: "Of the template: the same for everybody, or each contact's own.",
      example: { name: { contact: "name", default: "friend" } },
    }),
  smart_encoding: sendFields.smart_encoding,
  push: sendFields.push,
  category: sendFields.category,
  validity_seconds: sendFields.validity_seconds,
  tags: sendFields.tags,
};
const name = z.string().min(1).max(255);
const perSecond = z.int().min(1).max(1_000);

export const CreateBroadcast = z
  .strictObject({
    name: name.optional().meta({ description: "For people.", example: "Spring sale" }),
    audience: Audience,
    ...said,
    send_at: TimeInput.optional().meta({
      description: "It starts by itself then: 30 seconds to 180 days ahead, RFC 3339.",
    }),
    per_second: perSecond.optional().meta({
      description: "At most so many messages a second; as fast as it goes when left out.",
    }),
  })
  .meta({
    id: "CreateBroadcast",
    example: {
      name: "Spring sale",
      audience: { tag: "customer" },
      channel: "sms",
      text: "Everything is 20 % off today.",
      category: "marketing",
    },
  });
export type CreateBroadcast = z.infer<typeof CreateBroadcast>;

const count = (description: string) => z.int().meta({ description });
export const BroadcastView = z
  .object({
    id: z
      .string()
      .meta({ description: "A broadcast's id.", example: "brc_01HNQX2P8Y9R3T4V5W6Z7A8B9C" }),
    name: z.string().nullable(),
    status: z.enum(broadcastStatuses),
    paused_for: z.object({ code: z.string(), reason: z.string() }).nullable().meta({
      description:
        "Why it is paused: `requested`, or the code of the error that the next message would have been refused with.",
    }),
    audience: Audience,
    ...said,
    send_at: z.string().nullable(),
    per_second: z.int().nullable(),
    counts: z
      .object({
        audience: count("Contacts that it is for, as far as they have been read."),
        accepted: count("Whose message was accepted."),
        sent: count("Of those accepted: taken by a provider, and not reported as failed since."),
        failed: count("Of those accepted: failed, expired, rejected or not delivered."),
        skipped: count("To whom nothing is sent; `GET …/recipients?status=skipped` says why."),
      })
      .meta({ id: "BroadcastCounts" }),
    created_at: Time,
    started_at: z.string().nullable(),
    ended_at: z.string().nullable().meta({ description: "When it was done or canceled." }),
  })
  .meta({ id: "Broadcast" });

export const BroadcastsQuery = ListQuery.extend({ status: z.enum(broadcastStatuses).optional() });
export const RecipientsQuery = ListQuery.extend({ status: z.enum(recipientStates).optional() });

export const RecipientView = z
  .object({
    contact_id: z.string(),
    status: z.enum(recipientStates),
    message_id: z.string().nullable().meta({ description: "Of one whose message was accepted." }),
    outcome: z.enum(["sent", "failed"]).nullable(),
    reason: z.string().nullable().meta({
      description:
        "Why it was skipped: `recipient_suppressed`, `no_address`, `contact_erased`, `contact_merged`, `contact_not_found`, `invalid_address`, `value_missing`, `value_invalid`, or the code of the error that its message was refused with.",
    }),
  })
  .meta({ id: "BroadcastRecipient" });

/** So many of an audience are looked at for a preview: a second of work or less. */
export const mostPreviewed = 1_000;
/** An audience is counted up to here. */
export const mostCounted = 1_000_000;

const tally = (description: string) =>
  z.record(z.string(), z.int()).meta({ description, example: { no_address: 12 } });
export const BroadcastPreview = z
  .object({
    audience: z.int().meta({
      description: `Contacts that it would be for now; counted up to ${mostCounted}.`,
    }),
    looked_at: z.int().meta({
      description: `Of those, looked at: the ${mostPreviewed} that became contacts first, at most.`,
    }),
    to_send: z.int().meta({ description: "Of those looked at, who would be sent a message." }),
    skipped: tally("Of those looked at, who would be skipped, by reason."),
    lacking: tally("Of those skipped as `value_missing`, how many lack which variable."),
    languages: tally("Of the messages, how many are in which language of the template."),
    segments: z.int().meta({ description: "Of the messages together." }),
    cost: z.string().nullable().meta({ description: "Of the messages together; null: none." }),
    estimated_cost: z.string().nullable().meta({
      description: "Of the whole audience, if the others are like those looked at.",
    }),
    currency: z.string().nullable(),
  })
  .meta({ id: "BroadcastPreview" });
