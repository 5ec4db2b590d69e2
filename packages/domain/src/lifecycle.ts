import {
  accountOf,
  type Environment,
  type EventData,
  eventPublicId,
  type TypedEvent,
} from "@heliograph/contracts";
import { formatTime, timeOfEvent } from "./time.ts";
import {
  endpointData,
  endpointSamples,
  endpointTypes,
  isEndpointNotice,
} from "./lifecycle-endpoint.ts";
import { gatewayData, gatewaySamples, gatewayTypes, isGatewayNotice } from "./lifecycle-gateway.ts";
import { isPeopleEvent, peopleData, peopleSamples, peopleTypes } from "./lifecycle-people.ts";

/**
 * The one mapping from events of the log to the public lifecycle events that webhooks, feed and topics show.
 * Pure, and it needs nothing but the event itself, so every consumer that applies it in position order agrees.
 */
const publicTypes = {
  MessageQueued: "message.queued",
  MessageSent: "message.sent",
  MessageResent: "message.sent",
  MessageDelivered: "message.delivered",
  MessageRead: "message.read",
  MessageFailed: "message.failed",
  MessageBounced: "message.bounced",
  MessageExpired: "message.expired",
  MessageRejected: "message.rejected",
  MessageCanceled: "message.canceled",
  MessageCorrected: "message.corrected",
  ...endpointTypes,
  BalanceLow: "wallet.low_balance",
  KeyExpiring: "key.expiring",
  ...gatewayTypes,
  ...peopleTypes,
} as const;

/** Every public type and what it means; `GET /event-types` shows this and endpoints may subscribe to these names. */
export const lifecycleTypes = {
  "message.queued": "The message was accepted and waits to be sent.",
  "message.scheduled": "The message was accepted and waits for its time.",
  "message.sent":
    "A provider accepted the message: again, under another id, after a transient bounce.",
  "message.delivered": "The provider confirmed delivery; never for a broadcast channel.",
  "message.read": "The recipient opened the message.",
  "message.failed": "Retries are exhausted; the refund was posted.",
  "message.bounced": "A permanent e-mail bounce.",
  "message.expired": "The validity ended before a provider accepted.",
  "message.rejected": "The platform refused the message after accepting it.",
  "message.canceled": "The partner canceled a scheduled message.",
  "message.corrected":
    "What was told of a message's outcome was wrong; `status` is what became of it.",
  "webhook_endpoint.disabled": "The platform disabled a webhook endpoint.",
  "webhook_endpoint.enabled": "A webhook endpoint that was disabled was enabled again.",
  "webhook_endpoint.failing":
    "Nothing but failures came from a webhook endpoint for a while; if that goes on, it is disabled.",
  "webhook_endpoint.recovered": "A webhook endpoint that was told of as failing took a delivery.",
  "key.expiring": "An API key ends within a week, or within a day.",
  "gateway.degraded": "A gateway of yours fails by its own fault, and messages keep away from it.",
  "gateway.recovered": "A gateway that was told of as degraded has worked again for a while.",
  "wallet.low_balance": "What is available fell below the wallet's threshold.",
  "message.received": "A message came from a person, and it is known from whom.",
  "message.file_kept": "A file that came with a message was fetched from its provider.",
  "message.file_lost": "A file that came with a message is not kept.",
  "contact.created": "There is a new contact.",
  "contact.matched": "An inbound message came from a contact that was known.",
  "contact.merged": "Two contacts became one.",
  "contact.unmerged": "A merge of two contacts was undone.",
  "contact.erased": "The keys of a contact's data were destroyed.",
  "conversation.opened": "A conversation began.",
  "conversation.assigned": "An agent was given a conversation.",
  "conversation.unassigned": "A conversation was taken from its agent.",
  "conversation.closed": "A conversation was closed.",
  "conversation.reopened": "A conversation that was closed or snoozed is open again.",
  "conversation.snoozed": "A conversation rests for a time.",
  "conversation.overdue": "A conversation passed a target's time.",
} as const;
export type LifecycleType = keyof typeof lifecycleTypes;

/** For schemas: there is at least one. */
export const lifecycleTypeNames = Object.keys(lifecycleTypes) as [
  LifecycleType,
  ...LifecycleType[],
];

/** The event types of the log that have a public form, or move the numbers of those that have: what a consumer of lifecycle events subscribes to. */
export const lifecycleSources: readonly (
  | "MessageRequested"
  | "SequenceRaised"
  | keyof typeof publicTypes
)[] = [
  "MessageRequested",
  "SequenceRaised",
  ...(Object.keys(publicTypes) as (keyof typeof publicTypes)[]),
];

/** What the mapping reads of a recorded event. */
export type LifecycleSource = TypedEvent & {
  readonly id: string;
  readonly metadata: { readonly partner?: string; readonly at?: string };
  readonly recordedAt: number;
};

/** A lifecycle event but for its `sequence`, which only the order of the partner's events gives. */
export type LifecycleEvent = {
  readonly id: string;
  readonly type: LifecycleType;
  readonly timestamp: string;
  readonly environment: Environment;
  readonly partner: string;
  readonly data: Readonly<Record<string, unknown>>;
};

/** The public type of an event, or undefined when the outside does not see it. Cheap: decides what counts in the sequence. */
export function lifecycleTypeOf(event: LifecycleSource): LifecycleType | undefined {
  if (event.metadata.partner === undefined) return undefined;
  if (event.type === "MessageRequested")
    return event.data.send_at === undefined ? "message.queued" : "message.scheduled";
  if (event.type === "MessageDelivered" && event.data.message.channel === "broadcast")
    return undefined; // a broadcast channel confirms nothing
  // From before these were told: to count it now would change the numbers of the events after it.
  if (event.type === "MessageResent" && event.data.cost === undefined) return undefined;
  return Object.hasOwn(publicTypes, event.type)
    ? publicTypes[event.type as keyof typeof publicTypes]
    : undefined;
}

/** The public form of a recorded event, or undefined when the outside does not see it. */
export function toLifecycle(
  event: LifecycleSource,
  environment: Environment,
): LifecycleEvent | undefined {
  const type = lifecycleTypeOf(event);
  if (type === undefined) return undefined;
  return {
    id: eventPublicId(event.id),
    type,
    timestamp: formatTime(timeOfEvent(event)),
    environment,
    partner: event.metadata.partner!,
    data: dataOf(event),
  };
}

/** The id of what an event is about: the key of its record, by which its events keep their order. A wallet is its partner's. */
export function lifecycleSubject({ type, partner, data }: LifecycleEvent): string {
  const kind = type.slice(0, type.indexOf("."));
  const id = kind === "webhook_endpoint" ? data["endpoint_id"] : data[`${kind}_id`];
  return typeof id === "string" ? id : accountOf(partner);
}

/** The JSON text of a lifecycle event, in the key order of the contract: what feed and webhooks carry, byte for byte the same. */
export function lifecycleBody(event: LifecycleEvent, sequence: number): string {
  return `{"id":"${event.id}","type":"${event.type}","timestamp":"${event.timestamp}","environment":"${event.environment}","sequence":${sequence},"data":${JSON.stringify(event.data)}}`;
}

/**
 * The same text for a reader of the feed, with the number that it was told of before this event: behind that, nothing else of what it asked for comes first. A webhook is one text for all endpoints, and has none.
 */
export function bodyBehind(body: string, sequence: number, previous: number): string {
  // All that stands before the first of these is of our making: an id, a type, a time, an environment.
  const own = `,"sequence":${sequence}`;
  return body.replace(own, `${own},"previous_sequence":${previous}`);
}

function dataOf(event: LifecycleSource): Readonly<Record<string, unknown>> {
  if (isPeopleEvent(event)) return peopleData(event);
  if (isEndpointNotice(event)) return endpointData(event);
  if (isGatewayNotice(event)) return gatewayData(event);
  const { type, data } = event;
  if (type === "KeyExpiring") {
    const { key_id, name, prefix, expires_at, notice_days } = data;
    return { key_id, name, prefix, expires_at, notice_days };
  }
  if (type === "BalanceLow")
    return { available: data.available, threshold: data.threshold, currency: data.currency };
  // MessageRequested is its own context.
  const subject = type === "MessageRequested" ? data : "message" in data ? data.message : undefined;
  if (subject === undefined || !("message_id" in data)) throw new Error(`${type} is not public`);
  const message = {
    message_id: data.message_id,
    channel: subject.channel,
    to: subject.to,
    client_ref: subject.client_ref ?? null,
    metadata: subject.metadata ?? {},
  };
  switch (type) {
    case "MessageRequested":
      return {
        ...message,
        ...(data.send_at === undefined ? {} : { send_at: data.send_at }),
        cost: data.hold ?? data.cost,
        currency: data.currency,
        segments: data.segments,
      };
    case "MessageSent":
    case "MessageResent":
      return {
        ...message,
        provider: {
          gateway: data.gateway,
          name: data.provider.name,
          message_id: data.provider.message_id,
          status: data.provider.status,
        },
        attempt: data.attempt,
        cost: data.cost,
        currency: data.currency,
      };
    case "MessageDelivered":
    case "MessageRead":
      return {
        ...message,
        provider: {
          gateway: data.gateway,
          ...(data.provider === undefined ? {} : { name: data.provider.name }),
          message_id: data.provider_message_id,
          ...(data.provider === undefined ? {} : { status: data.provider.status }),
        },
        [type === "MessageRead" ? "read_at" : "delivered_at"]: data.at,
      };
    case "MessageFailed":
      return { ...message, ...failure(data) };
    case "MessageBounced":
      return { ...message, error: data.error, diagnostic: data.diagnostic };
    case "MessageRejected":
      return { ...message, error: data.error, ...costs(data.charge, data.currency) };
    case "MessageCorrected":
      return { ...message, ...correction(data) };
    case "MessageExpired":
      return { ...message, ...expiry(data) };
    default:
      return message;
  }
}

/** Of a message that came to nothing, where it costs something nevertheless. */
const costs = (cost: string | undefined, currency: string | undefined) =>
  cost !== undefined && { cost, currency };

const failure = ({ error, retry_count, refund, charge }: EventData<"MessageFailed">) => ({
  error,
  retry_count,
  refund,
  ...costs(charge, refund.currency),
});

const expiry = ({ attempts, expires_at, charge, currency }: EventData<"MessageExpired">) => ({
  attempts,
  expires_at,
  ...costs(charge, currency),
});

const correction = (data: EventData<"MessageCorrected">) => ({
  status: data.status,
  previous: data.before,
  reason: data.reason,
  ...(data.error !== undefined && { error: data.error }),
  ...(data.diagnostic !== undefined && { diagnostic: data.diagnostic }),
  provider: { gateway: data.gateway, message_id: data.provider_message_id },
  occurred_at: data.at,
  cost: data.cost,
  currency: data.currency,
});

/** A made-up event of a type, marked `"test": true`: what an endpoint gets when its owner asks for a test. */
export function sampleLifecycle(
  type: LifecycleType,
  source: { readonly id: string; readonly partner: string; readonly recordedAt: number },
  environment: Environment,
): LifecycleEvent {
  return {
    id: eventPublicId(source.id),
    type,
    timestamp: new Date(source.recordedAt).toISOString(),
    environment,
    partner: source.partner,
    data: { test: true, ...sampleData(type, new Date(source.recordedAt).toISOString()) },
  };
}

function sampleData(type: LifecycleType, at: string): Record<string, unknown> {
  if (Object.hasOwn(endpointSamples, type))
    return endpointSamples[type as keyof typeof endpointSamples](at);
  if (Object.hasOwn(gatewaySamples, type))
    return gatewaySamples[type as keyof typeof gatewaySamples](at);
  if (type === "key.expiring")
    return {
      key_id: "key_00000000000000000000000000",
      name: "worker",
      prefix: "ak_test_7Xq2",
      expires_at: at,
      notice_days: 7,
    };
  if (type === "wallet.low_balance") return { available: "0.99", threshold: "1", currency: "USD" };
  if (Object.hasOwn(peopleSamples, type))
    return peopleSamples[type as keyof typeof peopleSamples](at);
  const message = {
    message_id: "msg_00000000000000000000000000",
    channel: type === "message.bounced" ? "email" : "sms",
    to: type === "message.bounced" ? "someone@example.com" : "+15550100000",
    client_ref: null,
    metadata: {},
  };
  const provider = { gateway: "sim-sms", name: "sim-sms", message_id: "sample-1" };
  const error = { code: "recipient_unreachable", class: "recipient", permanent: true };
  const price = { cost: "0.012", currency: "USD" };
  const segments = { count: 1, encoding: "GSM-7", characters: 5 };
  switch (type) {
    case "message.queued":
      return { ...message, ...price, segments };
    case "message.scheduled":
      return { ...message, send_at: at, ...price, segments };
    case "message.sent":
      return {
        ...message,
        provider: { ...provider, status: "accepted" },
        attempt: 1,
        ...price,
      };
    case "message.delivered":
      return { ...message, provider: { ...provider, status: "delivered" }, delivered_at: at };
    case "message.read":
      return { ...message, provider: { ...provider, status: "read" }, read_at: at };
    case "message.failed":
      return {
        ...message,
        error,
        retry_count: 5,
        refund: {
          amount: "0.012",
          currency: "USD",
          transaction_id: "wtx_00000000000000000000000000",
        },
      };
    case "message.bounced":
      return { ...message, error, diagnostic: "550 5.1.1 no such user" };
    case "message.rejected":
      return { ...message, error };
    case "message.expired":
      return { ...message, attempts: 1, expires_at: at };
    case "message.corrected":
      return { ...message, ...sampleCorrection(at, error) };
    default:
      return message;
  }
}

const sampleCorrection = (at: string, error: object) => ({
  status: "delivered",
  previous: { status: "failed", error },
  reason: "a receipt of sim-sms was read again: it says delivered, and was taken for undelivered",
  provider: { gateway: "sim-sms", message_id: "sample-1" },
  occurred_at: at,
  cost: "0",
  currency: "USD",
});
