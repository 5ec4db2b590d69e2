import { z } from "zod";
import { defineEvent } from "../define.ts";
import {
  Content,
  FailoverStep,
  FailoverTrigger,
  Price,
  QuietHours,
  Segments,
  sender,
  SenderPoolOfMessage,
  SenderRuleOfMessage,
} from "./content.ts";
import {
  Category,
  Channel,
  Failure,
  Id,
  MailReferences,
  MessageContext,
  Money,
  ProviderMessageId,
  Time,
} from "./common.ts";

/** The place of a step in its order; 0 is what the request itself asks for. */
const Step = z.int().min(0).max(5);

/** Stream `message-<id>`, revision 0. `created_at` is what the 202 says; `cost` is the price of its first step and, without `hold`, what the wallet holds. */
export const MessageRequested = defineEvent(
  "MessageRequested",
  1,
  "A partner's message was accepted.",
  z.strictObject({
    message_id: Id,
    channel: Channel,
    to: z.string().max(512),
    ...sender,
    sender_pool: SenderPoolOfMessage.optional(),
    sender_rule: SenderRuleOfMessage.optional(),
    content: Content,
    category: Category,
    priority: z.int().min(0).max(3),
    send_at: Time.optional(),
    expires_at: Time,
    quiet_hours: QuietHours.optional(),
    tags: z.array(z.string().max(64)).max(20).optional(),
    metadata: z.record(z.string(), z.unknown()).optional(),
    client_ref: z.string().max(255).optional(),
    /** Of a reply: `to` and the texts of its content are then sealed under the contact's key. */
    conversation_id: Id.optional(),
    contact_id: Id.optional(),
    /** The platform's own answer to a keyword: no person wrote it, and it goes out although the recipient is suppressed by now. */
    keyword: z.enum(["stop", "start", "help"]).optional(),
    /** Of a reply: who wrote it, and whether it answers the person. */
    reply: z
      .strictObject({
        by: z.strictObject({ id: z.string().max(64), name: z.string().max(255).optional() }),
        answers: z.boolean(),
      })
      .optional(),
    /** An e-mail that answers one: the Message-ID of that one, with its angle brackets. */
    in_reply_to: z.string().max(998).optional(),
    /** What that one refers to. */
    references: MailReferences.optional(),
    cost: Money,
    currency: z.string().length(3),
    price: Price,
    segments: Segments,
    failover: z.array(FailoverStep).min(1).max(5).optional(),
    /** Of one with further steps: the price of the dearest. */
    hold: Money.optional(),
    created_at: Time,
  }),
);

const Attempt = z.int().min(1);

/** Why this gateway was taken, and why the others were not. */
export const GatewayChoice = z.strictObject({
  reason: z.string().max(500),
  considered: z
    .array(
      z.strictObject({
        gateway: z.string(),
        verdict: z.string(),
        /** It may not carry the message at all, now or when another fails. */
        excluded: z.literal(true).optional(),
      }),
    )
    .optional(),
});
export type GatewayChoice = z.infer<typeof GatewayChoice>;

export const MessageQueued = defineEvent(
  "MessageQueued",
  1,
  "A scheduled message became due; it can no longer be canceled.",
  z.strictObject({ message_id: Id, message: MessageContext, reason: z.string() }),
);

export const DispatchAttemptFailed = defineEvent(
  "DispatchAttemptFailed",
  1,
  "A provider refused or failed one attempt.",
  z.strictObject({
    message_id: Id,
    attempt: Attempt,
    attempt_id: Id,
    gateway: z.string(),
    choice: GatewayChoice,
    error: Failure,
    next: z.enum(["retry", "failover", "give_up"]),
    retry_at: Time.optional(),
    reason: z.string(),
  }),
);

/** Of a message that came to nothing: what it costs nevertheless, because a provider charges for an attempt that failed. Missing: nothing. */
const charge = { charge: Money.optional() };

const Acceptance = z.strictObject({
  name: z.string(),
  message_id: ProviderMessageId,
  /** What a mail server that puts a Message-ID of its own in the place of ours calls the mail. */
  server_message_id: ProviderMessageId.optional(),
  status: z.string().max(64),
});

export const MessageSent = defineEvent(
  "MessageSent",
  1,
  "A provider accepted the message.",
  z.strictObject({
    message_id: Id,
    message: MessageContext,
    attempt: Attempt,
    attempt_id: Id,
    gateway: z.string(),
    gateway_kind: z.string(),
    choice: GatewayChoice,
    provider: Acceptance,
    cost: Money,
    currency: z.string(),
    step: Step.optional(),
    /** false: another step may follow, so nothing is charged yet. */
    settles: z.literal(false).optional(),
  }),
);

export const MessageResent = defineEvent(
  "MessageResent",
  1,
  "A provider accepted the message again after a transient bounce.",
  z.strictObject({
    message_id: Id,
    message: MessageContext,
    attempt: Attempt,
    attempt_id: Id,
    gateway: z.string(),
    gateway_kind: z.string(),
    choice: GatewayChoice,
    provider: Acceptance,
    /** The price of the message, which is taken once. Events from before the second acceptance was told to partners lack both. */
    cost: Money.optional(),
    currency: z.string().optional(),
  }),
);

export const DispatchUncertain = defineEvent(
  "DispatchUncertain",
  1,
  "It is not known whether the provider took an attempt.",
  z.strictObject({
    message_id: Id,
    attempt: Attempt,
    attempt_id: Id,
    gateway: z.string(),
    cause: z.enum(["crash", "timeout", "connection_lost"]),
    policy: z.enum(["ask_provider", "at_most_once", "at_least_once"]),
    reason: z.string(),
    at: Time.optional(),
  }),
);

export const DispatchExhausted = defineEvent(
  "DispatchExhausted",
  1,
  "No further attempt will be made.",
  z.strictObject({
    message_id: Id,
    message: MessageContext,
    attempts: Attempt,
    error: Failure,
    cost: Money,
    currency: z.string(),
    reason: z.string(),
    ...charge,
  }),
);

export const MessageExpired = defineEvent(
  "MessageExpired",
  1,
  "The validity ended before a provider accepted.",
  z.strictObject({
    message_id: Id,
    message: MessageContext,
    attempts: z.int().min(0),
    cost: Money,
    currency: z.string(),
    expires_at: Time,
    ...charge,
  }),
);

export const MessageCanceled = defineEvent(
  "MessageCanceled",
  1,
  "The partner canceled a scheduled message.",
  z.strictObject({ message_id: Id, message: MessageContext, cost: Money, currency: z.string() }),
);

export const MessageRejected = defineEvent(
  "MessageRejected",
  1,
  "The platform refused the message after accepting it.",
  z.strictObject({
    message_id: Id,
    message: MessageContext,
    error: Failure,
    /** That of its price: it names the wallet. Missing where the wallet is the partner's first, as in older events. */
    currency: z.string().optional(),
    ...charge,
  }),
);

export const BounceDeferred = defineEvent(
  "BounceDeferred",
  1,
  "A transient bounce; it feeds the retry budget.",
  z.strictObject({ message_id: Id, attempt: Attempt, error: Failure }),
);

export const DeliveryFailed = defineEvent(
  "DeliveryFailed",
  1,
  "The provider reported, after accepting, that the message was not delivered; the refund follows, or the charge stands.",
  z.strictObject({
    message_id: Id,
    message: MessageContext,
    attempts: Attempt,
    error: Failure,
    cost: Money,
    currency: z.string(),
    ...charge,
  }),
);

export const SendDelayed = defineEvent(
  "SendDelayed",
  1,
  "An attempt is due in the quiet hours of the recipient: it waits for their end. Or every gateway that may have it is throttled by its provider: it waits until one is not.",
  z.strictObject({ message_id: Id, until: Time, reason: z.string().max(500) }),
);

export const FailoverStarted = defineEvent(
  "FailoverStarted",
  1,
  "A step of the message came to nothing: the next one begins.",
  z.strictObject({
    message_id: Id,
    /** As the new step has it. */
    message: MessageContext,
    step: z.int().min(1).max(5),
    trigger: FailoverTrigger,
    expires_at: Time,
    reason: z.string().max(500),
  }),
);

export const FailoverStepFailed = defineEvent(
  "FailoverStepFailed",
  1,
  "A step of the message came to nothing, and the message did not end with it.",
  z.strictObject({
    message_id: Id,
    /** As that step has it. */
    message: MessageContext,
    step: Step,
    error: Failure,
    /** What the receiving mail server said of one that came back. */
    diagnostic: z.string().max(2000).optional(),
    reason: z.string().max(500),
  }),
);

export const MessageSettled = defineEvent(
  "MessageSettled",
  1,
  "It is known which step of the message is charged; no further one begins.",
  z.strictObject({
    message_id: Id,
    message: MessageContext,
    step: Step,
    cost: Money,
    currency: z.string(),
    reason: z.string().max(500),
  }),
);

const Delivered = z.strictObject({
  message_id: Id,
  message: MessageContext,
  gateway: z.string(),
  provider_message_id: z.string(),
  /** Whose receipt it was and what it said; older events lack it. */
  provider: z.strictObject({ name: z.string(), status: z.string().max(64) }).optional(),
  /** Of a message with further steps: which of them it was. */
  step: Step.optional(),
  at: Time,
});
export const MessageDelivered = defineEvent(
  "MessageDelivered",
  1,
  "The provider confirmed delivery.",
  Delivered,
);
export const MessageRead = defineEvent(
  "MessageRead",
  1,
  "The recipient opened the message.",
  Delivered,
);

export const MessageBounced = defineEvent(
  "MessageBounced",
  1,
  "A permanent bounce, with its diagnostic.",
  z.strictObject({
    message_id: Id,
    message: MessageContext,
    error: Failure,
    diagnostic: z.string().max(2000),
  }),
);

/** The status stays what it is: who complains has the message. Only what is sent later is concerned. */
export const MessageComplained = defineEvent(
  "MessageComplained",
  1,
  "The recipient complained about the message; nothing more is sent there.",
  z.strictObject({
    message_id: Id,
    message: MessageContext,
    gateway: z.string(),
    provider_message_id: z.string(),
    /** What the provider said of it. */
    diagnostic: z.string().max(2000).optional(),
    at: Time,
  }),
);

export const MessageFailed = defineEvent(
  "MessageFailed",
  1,
  "The final failure: last error, retry count and the refund that was posted.",
  z.strictObject({
    message_id: Id,
    message: MessageContext,
    error: Failure,
    retry_count: z.int().min(0),
    refund: z.strictObject({ amount: Money, currency: z.string(), transaction_id: Id }),
    ...charge,
  }),
);

/** What the outcome of a message that a provider took can be corrected from and to; `sent`: it is not known. */
const Outcome = z.enum(["sent", "failed", "delivered", "bounced", "read"]);

/** Its status is this from here on, higher or lower: the one event that takes back what was told. */
export const MessageCorrected = defineEvent(
  "MessageCorrected",
  1,
  "What became of the message is not what was told: the provider's receipts were read again.",
  z.strictObject({
    message_id: Id,
    message: MessageContext,
    status: Outcome,
    before: z.strictObject({ status: Outcome, error: Failure.optional() }),
    reason: z.string().max(500),
    gateway: z.string(),
    provider_message_id: ProviderMessageId,
    /** When that happened which it was taken for, by the provider. */
    at: Time,
    error: Failure.optional(),
    diagnostic: z.string().max(2000).optional(),
    /** The charge is given back: what failed costs nothing. What was given back once is never charged again. */
    refunds: z.boolean(),
    /** What it costs from here on. */
    cost: Money,
    currency: z.string(),
  }),
);
