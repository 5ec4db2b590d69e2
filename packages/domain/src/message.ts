import type {
  EventData,
  Failure,
  MessageContext,
  MessageId,
  PartnerId,
  TypedEvent,
} from "@heliograph/contracts";
import { type Billed, billedAfter, nothingBilled } from "./billed.ts";
import { beginFailover, evolveFailover, requestOfStep, type Failover } from "./failover.ts";
import { timeOfEvent } from "./time.ts";
import { joinStatus, type MessageStatus } from "./status.ts";

type Requested = EventData<"MessageRequested">;

/** What the fold needs of a recorded event; `RecordedEvent` of the log fits. */
export type FoldableEvent = TypedEvent & {
  readonly position: bigint;
  readonly revision: number;
  readonly metadata: {
    readonly partner?: string;
    readonly at?: string;
    readonly traceparent?: string;
  };
  readonly recordedAt: number;
};

/** A message as its stream `message-<id>` tells it. Times are epoch milliseconds. */
export type MessageState = {
  readonly id: MessageId;
  readonly partner: PartnerId;
  /** The trace of its request: what a provider reports later belongs to it, too. */
  readonly traceparent: string | undefined;
  /** As the step that is under way carries it out, or the one on which the message ended. */
  readonly request: Requested;
  /** Of a message with further steps. */
  readonly failover: Failover | undefined;
  readonly status: MessageStatus;
  /** Attempts made so far, those included whose outcome is unknown. */
  readonly attempts: number;
  /** Where the last accepted attempt went, with the provider's own id and word for the status. */
  readonly provider:
    | {
        readonly gateway: string;
        readonly name: string;
        readonly message_id: string;
        readonly status: string;
      }
    | undefined;
  /** When the attempt that `provider` took was recorded. */
  readonly sentAt: number | undefined;
  /** When the channel confirmed, as the provider told it: RFC 3339. */
  readonly deliveredAt: string | undefined;
  readonly readAt: string | undefined;
  /** What the receiving mail server said about a message that came back. */
  readonly diagnostic: string | undefined;
  /** The last thing that went wrong, whether or not the message recovered from it. */
  readonly error: Failure | undefined;
  /** The recipient complained about it, once or more often; the status says nothing of that. */
  readonly complained: boolean;
  /** The message was sent and the charge stands: nothing is due back. */
  readonly charged: boolean;
  /** It came to nothing, and costs this. */
  readonly charge: string | undefined;
  readonly refund:
    | { readonly amount: string; readonly currency: string; readonly transaction_id: string }
    | undefined;
  /** What ended without delivery and is followed by `MessageFailed` once the wallet has given the money back. */
  readonly failing: "DispatchExhausted" | "DeliveryFailed" | "MessageCorrected" | undefined;
  /** What its receipts were taken to say was wrong once: only all of them, as they are read now, tell what became of it. */
  readonly corrected: boolean;
  /** Number of the attempt that `provider` took, 0 before one did. */
  readonly sentAttempt: number;
  /** Number of the last attempt that came back with a transient bounce; another attempt is due while it is not below `sentAttempt`. */
  readonly deferredAttempt: number;
  /** Position of `MessageRequested`: the place of the message in every list. */
  readonly requestedPosition: bigint;
  /** Position and revision of the last event that was folded: the revision an append must expect. */
  readonly position: bigint;
  readonly revision: number;
  readonly updatedAt: number;
} & Billed;

function begin(event: Extract<FoldableEvent, { type: "MessageRequested" }>): MessageState {
  const request = event.data;
  return {
    id: request.message_id,
    partner: event.metadata.partner ?? "",
    traceparent: event.metadata.traceparent,
    request,
    failover: beginFailover(request),
    status: request.send_at === undefined ? "queued" : "scheduled",
    attempts: 0,
    provider: undefined,
    sentAt: undefined,
    deliveredAt: undefined,
    readAt: undefined,
    diagnostic: undefined,
    error: undefined,
    complained: false,
    charged: false,
    ...nothingBilled,
    charge: undefined,
    refund: undefined,
    failing: undefined,
    corrected: false,
    sentAttempt: 0,
    deferredAttempt: 0,
    requestedPosition: event.position,
    position: event.position,
    revision: event.revision,
    updatedAt: timeOfEvent(event),
  };
}

type Changes = { -readonly [Key in keyof MessageState]?: MessageState[Key] };

function changes(state: MessageState, event: FoldableEvent): Changes {
  const { type, data } = event;
  const to = (status: MessageStatus): MessageStatus => joinStatus(state.status, status);
  const attempts = "attempt" in data ? Math.max(state.attempts, data.attempt) : state.attempts;
  switch (type) {
    case "MessageQueued":
      return { status: to("queued") };
    case "DispatchAttemptFailed":
      return { attempts, error: data.error };
    case "DispatchUncertain":
      return { attempts };
    case "MessageSent":
    case "MessageResent":
      return {
        status: to("sent"),
        attempts,
        sentAttempt: data.attempt,
        charged: state.charged || (type === "MessageSent" && data.settles !== false),
        provider: {
          gateway: data.gateway,
          name: data.provider.name,
          message_id: data.provider.message_id,
          status: data.provider.status,
        },
        sentAt: timeOfEvent(event),
      };
    case "MessageSettled":
      return { charged: true };
    case "FailoverStepFailed":
      return { error: data.error };
    case "DispatchExhausted":
      return {
        attempts: Math.max(state.attempts, data.attempts),
        error: data.error,
        failing: type,
        charged: false,
        charge: data.charge,
      };
    case "DeliveryFailed":
      return { error: data.error, failing: type, charged: false, charge: data.charge };
    case "MessageDelivered":
      return { status: to("delivered"), deliveredAt: data.at };
    case "MessageRead":
      return { status: to("read"), readAt: data.at };
    case "MessageBounced":
      return { status: to("bounced"), error: data.error, diagnostic: data.diagnostic };
    case "MessageComplained":
      return { complained: true };
    case "BounceDeferred":
      return { error: data.error, deferredAttempt: data.attempt };
    case "MessageFailed":
      // What the wallet says of it: it may have had nothing to keep.
      return {
        status: to("failed"),
        error: data.error,
        refund: data.refund,
        charge: data.charge,
      };
    case "MessageRejected":
      return { status: to("rejected"), error: data.error, charge: data.charge };
    case "MessageExpired":
      return { status: to("expired"), charge: data.charge };
    case "MessageCanceled":
      return { status: to("canceled") };
    case "MessageCorrected":
      return corrected(state, data);
    default:
      return {};
  }
}

/** What an event changes of a message with further steps. Its provider is the one that took the step on which it stands. */
function stepChanges(state: MessageState, event: FoldableEvent): Changes {
  if (state.failover === undefined) return {};
  const failover = evolveFailover(state.failover, event);
  const { origin, step, steps, over } = failover;
  const taken = steps[step]!.taken.at(-1);
  const until = event.type === "FailoverStarted" ? event.data.expires_at : undefined;
  return {
    failover,
    ...(step !== state.failover.step && { request: requestOfStep(origin, step, until) }),
    ...(taken !== undefined && over && { provider: taken }),
  };
}

/** The one event after which the status is not the higher of two. */
function corrected(state: MessageState, data: EventData<"MessageCorrected">): Changes {
  const { status, at, error, diagnostic, refunds } = data;
  const isThere = status === "delivered" || status === "read";
  return {
    status,
    corrected: true,
    deliveredAt: isThere ? (state.deliveredAt ?? at) : undefined,
    readAt: status === "read" ? at : undefined,
    diagnostic,
    ...(error !== undefined && { error }),
    // What was kept comes back as well, and that is told like every refund.
    ...(refunds && {
      failing: "MessageCorrected" as const,
      charged: false,
      charge: undefined,
      refund: undefined,
    }),
  };
}

/**
 * The next state. The first event must be `MessageRequested`; before it everything else gives undefined.
 * Unknown types only move position, revision and time, so an older reader survives a newer writer.
 */
export function evolveMessage(
  state: MessageState | undefined,
  event: FoldableEvent,
): MessageState | undefined {
  if (event.type === "MessageRequested") return state ?? begin(event);
  if (state === undefined || event.revision <= state.revision) return state;
  return {
    ...state,
    ...changes(state, event),
    ...stepChanges(state, event),
    ...billedAfter(state, event),
    position: event.position,
    revision: event.revision,
    updatedAt: timeOfEvent(event),
  };
}

/** Folds the events of one stream `message-<id>`, oldest first; undefined when there is no such message. */
export function foldMessage(events: Iterable<FoldableEvent>): MessageState | undefined {
  let state: MessageState | undefined;
  for (const event of events) state = evolveMessage(state, event);
  return state;
}

/** Everything of a request but its content: at most a few KB, since tags and metadata are bounded. */
const requestOverheadBytes = 2_048;

/** About how many bytes a request takes in memory: its content may be hundreds of KB, most are below one. */
export function weighRequest({ content, failover = [] }: Requested): number {
  const weight = requestOverheadBytes + 2 * charactersOf(content);
  return failover.reduce(
    (sum, step) => sum + requestOverheadBytes + 2 * charactersOf(step.content),
    weight,
  );
}

function charactersOf(content: Requested["content"]): number {
  let characters =
    (content.text?.length ?? 0) + (content.html?.length ?? 0) + (content.subject?.length ?? 0);
  for (const { url, name, caption } of content.media ?? [])
    characters += (url?.length ?? 0) + (name?.length ?? 0) + (caption?.length ?? 0);
  for (const value of Object.values(content.push?.data ?? {})) characters += value.length;
  for (const value of Object.values(content.template?.variables ?? {}))
    characters += typeof value === "string" ? value.length : 8;
  return characters;
}

/** What every later event of the message repeats of its request. */
export function messageContext(request: Requested): MessageContext {
  return {
    channel: request.channel,
    to: request.to,
    ...(request.client_ref === undefined ? {} : { client_ref: request.client_ref }),
    ...(request.metadata === undefined ? {} : { metadata: request.metadata }),
    ...(request.tags === undefined || request.tags.length === 0 ? {} : { tags: request.tags }),
    ...(request.conversation_id === undefined ? {} : { conversation_id: request.conversation_id }),
  };
}
