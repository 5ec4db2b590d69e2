import { uuid5, type EventData, type Failure, type GatewayChoice } from "@heliograph/contracts";
import { chargeOf, formatTime, messageContext } from "@heliograph/domain";
import { attemptIdOf, type ProviderAnswer } from "@heliograph/gateways";
import type { NewEvent } from "@heliograph/log";
import { waitAfter } from "./decide.ts";
import type { RetryDecision } from "./retry.ts";
import type { State } from "./state.ts";

/** What the outcome events of one call have in common. */
export type Call = {
  readonly state: State;
  readonly attempt: number;
  readonly attemptId: string;
  readonly gateway: string;
  readonly gatewayKind: string;
  readonly choice: GatewayChoice;
  /** Id of the event that the call follows from. */
  readonly causation: string;
};

/** The event's id comes from the request, the type and the number of outcomes before it: repeating a step gives the same id. */
export function event(
  state: State,
  type: string,
  data: object,
  causation: string,
  place = state.calls + 1,
): NewEvent {
  const { requestEvent } = state;
  const { partner, request_id, traceparent } = requestEvent.metadata;
  return {
    id: uuid5(requestEvent.id, type, String(place)),
    type,
    data,
    metadata: {
      ...(partner === undefined ? {} : { partner }),
      actor: "dispatch",
      ...(request_id === undefined ? {} : { request_id }),
      ...(traceparent === undefined ? {} : { traceparent }),
      correlation: state.request.message_id,
      causation,
    },
  };
}

/** `MessageSent`, or `MessageResent` when a provider had accepted the message before. */
export function accepted(
  call: Call,
  result: Extract<ProviderAnswer, { type: "accepted" }>,
  now: number,
): NewEvent {
  const { state } = call;
  const { request, failover } = state;
  const steps = failover && {
    step: failover.step,
    ...(waitAfter(state, now) !== undefined && { settles: false as const }),
  };
  const data: EventData<"MessageSent"> = {
    message_id: request.message_id,
    message: messageContext(request),
    attempt: call.attempt,
    attempt_id: call.attemptId,
    gateway: call.gateway,
    gateway_kind: call.gatewayKind,
    choice: call.choice,
    provider: {
      name: call.gateway,
      message_id: result.providerMessageId,
      ...(result.serverMessageId !== undefined && { server_message_id: result.serverMessageId }),
      status: result.status,
    },
    cost: request.cost,
    currency: request.currency,
  };
  return state.sent
    ? event(state, "MessageResent", data, call.causation)
    : event(state, "MessageSent", { ...data, ...steps }, call.causation);
}

export function attemptFailed(call: Call, error: Failure, decision: RetryDecision): NewEvent {
  const data: EventData<"DispatchAttemptFailed"> = {
    message_id: call.state.request.message_id,
    attempt: call.attempt,
    attempt_id: call.attemptId,
    gateway: call.gateway,
    choice: call.choice,
    error,
    next: decision.next,
    ...(decision.next === "retry" ? { retry_at: new Date(decision.retryAt).toISOString() } : {}),
    reason: `${decision.reason}${error.billable ? "; the provider charges for the attempt" : ""}`,
  };
  return event(call.state, "DispatchAttemptFailed", data, call.causation);
}

export function uncertain(
  state: State,
  about: Pick<EventData<"DispatchUncertain">, "attempt" | "gateway" | "cause" | "policy">,
  causation: string,
  now: number,
): NewEvent {
  const messageId = state.request.message_id;
  const data: EventData<"DispatchUncertain"> = {
    message_id: messageId,
    attempt_id: attemptIdOf(messageId, about.attempt),
    ...about,
    reason: reasons[about.policy],
    at: new Date(now).toISOString(),
  };
  return event(state, "DispatchUncertain", data, causation);
}
const reasons = {
  ask_provider: "the provider is asked what became of the attempt",
  at_least_once: "the attempt is sent again: the recipient may get it twice",
  at_most_once: "the attempt is not sent again: only a receipt can prove that it was taken",
} as const;

export function exhausted(
  state: State,
  attempts: number,
  error: Failure,
  reason: string,
  causation: string,
): NewEvent {
  const { request } = state;
  const data: EventData<"DispatchExhausted"> = {
    message_id: request.message_id,
    message: messageContext(request),
    attempts: Math.max(1, attempts),
    error,
    cost: request.cost,
    currency: request.currency,
    reason,
    ...chargeOf(state),
  };
  return event(state, "DispatchExhausted", data, causation);
}

export function expired(state: State, causation: string): NewEvent {
  const { request } = state;
  const data: EventData<"MessageExpired"> = {
    message_id: request.message_id,
    message: messageContext(request),
    attempts: state.attempt,
    cost: request.cost,
    currency: request.currency,
    expires_at: request.expires_at,
    ...chargeOf(state),
  };
  return event(state, "MessageExpired", data, causation);
}

export function queued(state: State, causation: string): NewEvent {
  const { request } = state;
  const data: EventData<"MessageQueued"> = {
    message_id: request.message_id,
    message: messageContext(request),
    reason: "its time to be sent has come",
  };
  return event(state, "MessageQueued", data, causation);
}

/** It waits for a provider that takes no more for now. */
export function throttled(
  state: State,
  gateway: string,
  until: number,
  causation: string,
): NewEvent {
  const { message_id } = state.request;
  const end = formatTime(until);
  const reason = `every gateway that may have it is throttled by its provider: ${gateway} until ${end}`;
  const data: EventData<"SendDelayed"> = { message_id, until: end, reason };
  return event(state, "SendDelayed", data, causation, until);
}

export function delayed(state: State, until: number, causation: string): NewEvent {
  const { message_id, expires_at } = state.request;
  const end = formatTime(until);
  const isOver = until >= Date.parse(expires_at);
  const reason = `it is due in quiet hours, which last until ${end}${isOver ? `: its validity ends before, at ${expires_at}` : ""}`;
  const data: EventData<"SendDelayed"> = { message_id, until: end, reason };
  return event(state, "SendDelayed", data, causation, until);
}
