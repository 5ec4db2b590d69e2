import type { EventData, Failure } from "@heliograph/contracts";
import {
  afterStep,
  messageContext,
  requestOfStep,
  settledStep,
  startedStep,
  stepOf,
  type Failover,
  type MessageState,
  type MessageStatus,
} from "@heliograph/domain";
import { defaultError, isTransient, type Fact, type Receipt, type ReceiptEvent } from "./facts.ts";

/** The step that a receipt is about; undefined of a message that has one only. Whose attempt is not known is of the step that is under way. */
export const stepIn = ({ failover }: MessageState, receipt: Receipt): number | undefined =>
  failover && (stepOf(failover, receipt) ?? failover.step);

/** The message as that step carries it out. */
export const requestIn = ({ request, failover }: MessageState, step: number | undefined) =>
  failover === undefined || step === undefined || step === failover.step
    ? request
    : requestOfStep(failover.origin, step);

/** The step that was delivered is what the message costs. What was given back is not charged again. */
export function settledBy(state: MessageState, cause: ReceiptEvent): readonly Fact[] {
  const step = stepIn(state, cause.data);
  if (step === undefined || state.failing !== undefined) return [];
  const { channel } = requestIn(state, step);
  return [settled(state, step, `it was delivered by ${channel}`, cause)];
}

/** A step that came back as an e-mail does was carried to the recipient's server, which is what the price is for. While the next one might have begun it was not charged. */
export function settledByBounce(state: MessageState, cause: ReceiptEvent): readonly Fact[] {
  const { failover, failing, charged, request } = state;
  if (failover === undefined || charged || failing !== undefined) return [];
  return [settled(state, failover.step, `it bounced, and ${request.channel} is charged`, cause)];
}

function settled(state: MessageState, step: number, reason: string, cause: ReceiptEvent): Fact {
  const data = settledStep(state.failover!.origin, step, reason);
  return { type: "MessageSettled", data, cause };
}

/**
 * What bad news means for the steps of a message: one that another has followed is known to be lost, and where the current one is, the next begins or an earlier one counts. `left` says nothing
 * of steps; `ends`: the current step does, and the message goes on.
 */
export function badNewsOfSteps(
  state: MessageState,
  bad: readonly ReceiptEvent[],
  reached: MessageStatus,
):
  | {
      readonly facts: readonly Fact[];
      readonly left: readonly ReceiptEvent[];
      readonly ends: boolean;
      readonly isUnderWay: boolean;
    }
  | undefined {
  const { failover } = state;
  if (failover === undefined) return undefined;
  const isPast = ({ data }: ReceiptEvent): boolean =>
    (stepOf(failover, data) ?? failover.step) !== failover.step;
  const left = bad.filter((event) => !isPast(event));
  const isUnderWay = failover.steps[failover.step]!.status === "under_way";
  const isOpen = (reached === "sent" || reached === "queued") && state.failing === undefined;
  if (!isOpen) return { facts: [], left, ends: false, isUnderWay };
  const lost = new Map<number, Fact>();
  for (const event of bad) {
    const step = stepOf(failover, event.data);
    if (step === undefined || isTransient(event.data) || lost.has(step)) continue;
    if (failover.steps[step]!.status !== "sent") continue;
    lost.set(step, stepFailed(state, step, event));
  }
  const current = lost.get(failover.step);
  lost.delete(failover.step);
  const facts = [...lost.values()];
  if (current === undefined) return { facts, left, ends: false, isUnderWay };
  const after = followedBy(state, withLost(failover, lost), current);
  return after === undefined
    ? { facts, left, ends: false, isUnderWay }
    : { facts: [...facts, current, after], left, ends: true, isUnderWay };
}

const withLost = (failover: Failover, lost: ReadonlyMap<number, Fact>): Failover => ({
  ...failover,
  steps: failover.steps.map((step, at) =>
    lost.has(at) ? { ...step, status: "failed" as const } : step,
  ),
});

function stepFailed(state: MessageState, step: number, cause: ReceiptEvent): Fact {
  const { status, diagnostic, error: told, gateway } = cause.data;
  const request = requestIn(state, step);
  const isBounce = request.channel === "email" && status === "bounced";
  const error = told ?? defaultError(isBounce ? "bounced" : "undelivered", true);
  const data: EventData<"FailoverStepFailed"> = {
    message_id: state.id,
    message: messageContext(request),
    step,
    error,
    ...(isBounce && { diagnostic: diagnostic ?? error.provider?.text ?? error.code }),
    reason: `${gateway} reports that it was not delivered`,
  };
  return { type: "FailoverStepFailed", data, cause };
}

/** What follows a step that was lost; undefined where the message ends with it, as any other does. */
function followedBy(state: MessageState, failover: Failover, lost: Fact): Fact | undefined {
  const cause = lost.cause as ReceiptEvent;
  const { error, reason } = lost.data as { readonly error: Failure; readonly reason: string };
  const after = afterStep(failover, "failed", error);
  if (after.type === "end") return undefined;
  if (after.type === "fall_back") return settled(state, after.step, reason, cause);
  const { at } = cause.metadata;
  const now =
    at === undefined ? (cause.recordedAt ?? Date.parse(cause.data.occurred_at)) : Date.parse(at);
  const data = startedStep(failover.origin, after.step, "failed", reason, now);
  return { type: "FailoverStarted", data, cause };
}
