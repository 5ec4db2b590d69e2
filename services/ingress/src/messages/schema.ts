import { Problem } from "@heliograph/api";
import { channels, environments, FailoverTrigger, mostBatchMessages } from "@heliograph/contracts";
import {
  Message,
  MessageSegments,
  Money,
  SenderPoolOfMessage,
  SenderRuleOfMessage,
  Time,
} from "@heliograph/domain";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { z } from "zod";

/** The shapes of the message endpoints: what validates requests and what the OpenAPI document shows. */
const Channel = z
  .enum(channels)
  .meta({ description: "How the message travels.", example: "whatsapp" });
const MessageId = z
  .string()
  .meta({ description: "A message's id.", example: "msg_01HNQX2P8Y9R3T4V5W6Z7A8B9C" });
const Variables = z.record(
  z.string().max(64),
  z.union([z.string().max(4096), z.number(), z.boolean()]),
);
const TemplateRef = z.union([
  z.string().min(1).max(64),
  z.strictObject({
    slug: z.string().min(1).max(64),
    version: z.int().min(1).optional().meta({ description: "The newest when left out." }),
    on_missing_language: z.enum(["error", "default"]).optional(),
  }),
]);

const mediaFields = {
  name: z.string().min(1).max(255).optional(),
  caption: z.string().min(1).max(1_024).optional().meta({ description: "What stands under it." }),
};
const Media = z.union([
  z.strictObject({
    url: z
      .string()
      .max(2_000)
      .regex(/^https:\/\/[^\s]+$/, "must be an https:// address")
      .meta({
        description:
          "Where the file is. Of an e-mail it is fetched as the message is accepted, 10 MB at most; on other channels the provider or the device fetches it, and we do not.",
      }),
    type: z.string().min(1).max(255).optional().meta({ example: "image/jpeg" }),
    ...mediaFields,
  }),
  z.strictObject({
    attachment_id: z
      .string()
      .regex(/^att_[0-9A-Z]{26}$/, "must be the id of an attachment")
      .meta({ description: "Of `POST /attachments`; the provider gets a link that expires." }),
    ...mediaFields,
  }),
]);

const content = {
  from: z.string().min(1).max(400).optional().meta({
    description:
      "Sender number, name of at most 11 characters, or e-mail address with or without a name.",
    example: "Heliograph <shop@example.org>",
  }),
  sender_pool: z.string().min(1).max(64).optional().meta({
    description:
      "In place of `from`: a pool of senders, by its id or name. A recipient sees the same one of them as long as it is in the pool; a `from` beside it is the one for a recipient that has none yet. Without either, it is the default pool of the channel, where there is one.",
    example: "eu-numbers",
  }),
  reply_to: z.string().min(1).max(400).optional().meta({
    description: "E-mail: where answers go, an address with or without a name.",
    example: "help@example.org",
  }),
  unsubscribe_url: z.string().min(1).max(900).optional().meta({
    description:
      "E-mail: an https:// address that takes a POST to unsubscribe (RFC 8058); it goes into List-Unsubscribe. Marketing without one has a link of the platform's there, and in any case a mailto: address.",
  }),
  text: z.string().min(1).max(100_000).optional(),
  html: z.string().min(1).max(200_000).optional(),
  subject: z.string().min(1).max(989).optional(),
  template: TemplateRef.optional(),
  language: z.string().min(2).max(35).optional(),
  variables: Variables.optional(),
};
const smartEncoding = z.boolean().optional().meta({
  description:
    "SMS: quotation marks, dashes, spaces and the like that would make the text UCS-2 become what looks alike in GSM-7, where that makes all of it GSM-7; `segments.replaced` lists each change.",
});
/** `maxPushData` values: the channel's rules say so, with their path. */
const Push = z
  .strictObject({
    data: z
      .record(z.string().min(1).max(64), z.string().max(2_000))
      .optional()
      .meta({
        description:
          "What your application is told: at most 50 values. `from`, `message_type`, `aps`, `fcm_options`, `message_id`, `image` and what begins with `google` or `gcm` are kept by FCM, APNs and the platform.",
        example: { order: "204821" },
      }),
    badge: z.int().min(0).max(99_999).optional().meta({
      description: "The number on the application's icon; 0 takes it away on iOS.",
    }),
    sound: z.string().min(1).max(100).optional().meta({
      description: "The sound of the notification: a file of your application, or `default`.",
      example: "default",
    }),
    channel_id: z.string().min(1).max(100).optional().meta({
      description: "The notification channel on Android, which your application made.",
      example: "orders",
    }),
    collapse_key: z.string().min(1).max(64).optional().meta({
      description:
        "A newer push with the same one takes the place of the older on the device. At most 64 characters of ASCII without a space.",
      example: "order-204821",
    }),
  })
  .meta({ id: "PushOptions" });
const push = Push.optional().meta({
  description:
    "Push: what your application is told, and how the device shows it. Text, subject, the address of the picture, data, badge and sound are at most 3,900 bytes together.",
});
const recipient = z.string().min(1).max(320);

const TimeOfDay = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, "must be a time of the day such as 21:00");
const QuietHours = z
  .strictObject({
    from: TimeOfDay.meta({ example: "21:00" }),
    to: TimeOfDay.meta({ example: "08:00" }),
    zone: z.string().min(1).max(64).optional().meta({ example: "Europe/Berlin" }),
    policy: z.enum(["delay", "reject"]),
  })
  .meta({ id: "QuietHours" });

const Step = z
  .strictObject({
    channel: Channel,
    to: recipient.optional().meta({ description: "The message's own when left out." }),
    ...content,
    smart_encoding: smartEncoding,
    push,
    on: z
      .array(FailoverTrigger)
      .min(1)
      .max(3)
      .meta({
        description:
          "What becomes of the step before: `failed`, refused for good or reported as not delivered; `expired`, not taken while it was valid; `no_receipt`, sent and not confirmed in time.",
        example: ["failed", "no_receipt"],
      }),
    after_seconds: z.int().min(10).max(86_400).optional().meta({
      description: "How long `no_receipt` waits for a receipt of the step before; needed there.",
    }),
  })
  .meta({ id: "FailoverStep" });

export const sendFields = {
  channel: Channel,
  to: recipient.optional().meta({
    description: "E.164 phone number, or an e-mail address; left out with a `contact_id`.",
    example: "+15551234567",
  }),
  ...content,
  send_at: z
    .string()
    .max(40)
    .optional()
    .meta({ description: "30 seconds to 180 days ahead, RFC 3339." }),
  validity_seconds: z
    .int()
    .min(10)
    .max(604_800)
    .optional()
    .meta({ description: "Not sent later than this after it was due; default 172,800." }),
  priority: z.int().min(0).max(3).optional(),
  category: z.enum(["transactional", "marketing", "authentication"]).optional(),
  tags: z.array(z.string().min(1).max(64)).max(20).optional(),
  metadata: z
    .record(z.string().max(64), z.unknown())
    .optional()
    .meta({ description: "At most 2 KB as JSON." }),
  client_ref: z.string().max(255).optional(),
  smart_encoding: smartEncoding,
  push,
  failover: z.array(Step).min(1).max(5).optional().meta({
    description:
      "Other channels to try, in this order, each once and each when its `on` names what became of the step before. One message, one id: the step that is delivered is charged, and what is held until then is the price of the dearest.",
  }),
  quiet_hours: QuietHours.optional().meta({
    description:
      "Hours in which nothing is sent, by the recipient's clocks: those of `zone`, else the contact's, else those of the number's country, where quiet in one zone is quiet, else UTC. `to` itself is not quiet. `delay` waits for their end, `reject` refuses.",
  }),
  media: z.array(Media).min(1).max(10).optional().meta({
    description:
      "Files that go with it, on channels that carry some: WhatsApp and push one (of a push its picture), Telegram and e-mail ten (of an e-mail 15 MB in all). Of each, one of `url` and `attachment_id`. A dry run fetches nothing.",
  }),
  contact_id: z.string().min(1).max(64).optional().meta({
    description:
      "In place of `to`: it goes to the address on the channel that the contact was given last. A step of `failover` without a `to` of its own goes to the contact too.",
    example: "cnt_01HNQX2P8Y9R3T4V5W6Z7A8B9C",
  }),
};

const example = {
  channel: "whatsapp",
  to: "+15551234567",
  template: "order_confirmation",
  language: "en",
  variables: { name: "Nayeem", order_id: "TR-204821", eta: "15 minutes" },
};
export const SendMessage = z.strictObject(sendFields).meta({ id: "SendMessage", example });
export type SendMessage = z.infer<typeof SendMessage>;
export const BatchItem = z
  .strictObject({ ...sendFields, idempotency_key: z.string().min(1).max(255).optional() })
  .meta({ id: "BatchItem", example: { ...example, idempotency_key: "order-204821" } });
export const SendBatch = z
  .strictObject({ messages: z.array(BatchItem).min(1).max(mostBatchMessages) })
  .meta({ id: "SendBatch" });

/** A reply goes where the person wrote from, from where the person wrote to: it names neither. */
export const SendReply = z
  .strictObject({
    text: sendFields.text,
    html: sendFields.html,
    subject: sendFields.subject.meta({
      description: "E-mail: left out, it is that of the person's last mail with `Re:` before it.",
    }),
    template: sendFields.template,
    language: sendFields.language,
    variables: sendFields.variables,
    media: sendFields.media,
    category: sendFields.category,
    tags: sendFields.tags,
    metadata: sendFields.metadata,
    client_ref: sendFields.client_ref,
  })
  .meta({ id: "SendReply", example: { text: "It leaves today." } });
export type SendReply = z.infer<typeof SendReply>;

export const SendQuery = z.strictObject({
  dry_run: z.enum(["true", "false"]).optional().meta({
    description: "true: validates, prices and answers the same, but sends and stores nothing.",
  }),
});

export const AcceptedMessage = z
  .object({
    id: MessageId.optional().meta({
      description: "A message's id; a dry run has none.",
      example: "msg_01HNQX2P8Y9R3T4V5W6Z7A8B9C",
    }),
    dry_run: z.literal(true).optional(),
    status: z.string(),
    channel: Channel,
    cost_estimate: Money,
    created_at: Time,
    environment: z.enum(environments),
    currency: z.string(),
    segments: MessageSegments,
    to: z.string(),
    from: z
      .string()
      .optional()
      .meta({ description: "Where it was taken of a pool, or is that of a rule for the country." }),
    sender_pool: SenderPoolOfMessage.optional(),
    sender_rule: SenderRuleOfMessage.optional(),
  })
  .meta({ id: "AcceptedMessage" });

const inConversation = {
  conversation_id: z.string().meta({
    description: "The conversation's id.",
    example: "cnv_01HNQX2P8Y9R3T4V5W6Z7A8B9C",
  }),
};
export const AcceptedReply = AcceptedMessage.extend(inConversation).meta({ id: "AcceptedReply" });
export const SettledReply = Message.extend(inConversation).meta({ id: "SettledReply" });

export const BatchAnswer = z
  .object({
    data: z.array(
      z.object({
        index: z.int(),
        status_code: z.int(),
        message: AcceptedMessage.optional(),
        replayed: z.literal(true).optional(),
        error: Problem.optional().meta({ description: "Why it was refused." }),
      }),
    ),
    accepted: z.int(),
    refused: z.int(),
  })
  .meta({ id: "BatchAnswer" });

export const Timeline = z
  .object({
    message_id: MessageId,
    environment: z.enum(environments),
    data: z.array(
      z.object({
        position: z.string(),
        id: z.string(),
        type: z.string(),
        timestamp: Time,
        actor: z.string(),
        data: z.record(z.string(), z.unknown()).meta({ description: "The event's own fields." }),
        reason: z.string().optional(),
      }),
    ),
  })
  .meta({ id: "Timeline" });

// A send is validated in a fraction of zod's time by its own JSON Schema; zod speaks only when something is wrong. zod makes
// that schema: to check it by the schema of schemas would take 0.1 s more.
const ajv = new Ajv2020({ strict: false, meta: false, validateSchema: false });
/** Compiled when the first body comes: that takes 0.1 s, which a process that takes no sends should not need to start. */
function accepting(schema: z.ZodType): (body: unknown) => boolean {
  let accepts: ValidateFunction | undefined;
  return (body) => {
    accepts ??= ajv.compile(z.toJSONSchema(schema, { io: "input" }));
    return accepts(body);
  };
}
export const acceptsSend = accepting(SendMessage);
export const acceptsItem = accepting(BatchItem);
/** Only the frame: the items are validated one by one, so that one bad item refuses itself and not its neighbours. */
export const acceptsBatch = (body: unknown): boolean => {
  if (typeof body !== "object" || body === null || Object.keys(body).length !== 1) return false;
  const { messages } = body as { messages?: unknown };
  return Array.isArray(messages) && messages.length >= 1 && messages.length <= mostBatchMessages;
};
