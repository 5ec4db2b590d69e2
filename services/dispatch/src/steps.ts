import type { EventData, Failure, FailoverTrigger } from "@heliograph/contracts";
import {
  afterStep,
  chargeOf,
  fallBackOf,
  messageContext,
  settledStep,
  startedStep,
  wasSent,
} from "@heliograph/domain";
import type { NewEvent } from "@heliograph/log";
import { event, exhausted, expired } from "./events.ts";
import type { State } from "./state.ts";

/** How a step ends that no provider took. */
type End = {
  readonly what: "failed" | "expired";
  readonly attempts: number;
  readonly error: Failure;
  readonly reason: string;
};
/** `goesOn`: with the next step, at once. */
type Ended = { readonly events: readonly NewEvent[]; readonly goesOn: boolean };

const tooLate: Failure = { code: "validity_ended", class: "timeout", permanent: true };
export const expiry = (state: State): End => ({
  what: "expired",
  attempts: state.attempt,
  error: state.error ?? tooLate,
  reason: "the validity ended before a provider took it",
});

/** The step that is under way came to nothing: the next one begins, an earlier one that was sent is what counts, or the message ends. */
export function endStep(state: State, end: End, causation: string, now: number): Ended {
  const { what, error, reason } = end;
  const after = state.failover && afterStep(state.failover, what, error);
  if (after === undefined || after.type === "end") {
    const isExpiry = what === "expired" && !(state.failover && wasSent(state.failover));
    const ending = isExpiry
      ? expired(state, causation)
      : exhausted(state, end.attempts, error, reason, causation);
    return { events: [ending], goesOn: false };
  }
  const failed = what === "failed" ? [stepFailed(state, error, reason, causation)] : [];
  return after.type === "next"
    ? { events: [...failed, startStep(state, what, reason, causation, now)], goesOn: true }
    : { events: [...failed, settled(state, after.step, reason, causation)], goesOn: false };
}

/** A step was sent, and no receipt has come in time. */
export function unheard(
  state: State,
  then: "no_receipt" | "settle",
  causation: string,
  now: number,
): Ended {
  const { step, origin } = state.failover!;
  if (then === "settle") {
    const reason = "no receipt came while the step was valid";
    return { events: [settled(state, step, reason, causation)], goesOn: false };
  }
  const reason = `no receipt came within ${origin.failover![step]!.after_seconds} s`;
  return { events: [startStep(state, then, reason, causation, now)], goesOn: true };
}

/** A step begins once: its event's id is made of its place, and is appended at the exact revision of what was decided on. */
function startStep(
  state: State,
  trigger: FailoverTrigger,
  reason: string,
  causation: string,
  now: number,
): NewEvent {
  const { origin, step: before } = state.failover!;
  const step = before + 1;
  const data = startedStep(origin, step, trigger, reason, now);
  return event(state, "FailoverStarted", data, causation, step);
}

function stepFailed(state: State, error: Failure, reason: string, causation: string): NewEvent {
  const { failover, request } = state;
  const { step } = failover!;
  const { message_id } = request;
  const message = messageContext(request);
  const data: EventData<"FailoverStepFailed"> = { message_id, message, step, error, reason };
  return event(state, "FailoverStepFailed", data, causation, step);
}

/** That step is charged, and no further one begins. */
function settled(state: State, step: number, reason: string, causation: string): NewEvent {
  const data = settledStep(state.failover!.origin, step, reason);
  return event(state, "MessageSettled", data, causation);
}

/**
 * Nothing is sent to the recipient any more, and no other channel is tried in its place. What a provider took before, or may have taken, cannot be refused: an earlier step counts, or the
 * message ends as failed.
 */
export function stopped(
  state: State,
  code: "recipient_suppressed" | "contact_erased" | "quiet_hours",
  reason: string,
  causation: string,
): NewEvent {
  const { request, failover } = state;
  const error: Failure = { code, class: "recipient", permanent: true };
  const left = failover && fallBackOf(failover);
  if (left !== undefined) return settled(state, left, reason, causation);
  if (state.sent || state.phase === "uncertain" || (failover && wasSent(failover)))
    return exhausted(state, state.attempt, error, reason, causation);
  const message = messageContext(request);
  const { message_id, currency } = request;
  const data: EventData<"MessageRejected"> = {
    message_id,
    message,
    error,
    currency,
    ...chargeOf(state),
  };
  return event(state, "MessageRejected", data, causation);
}
