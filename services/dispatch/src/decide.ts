import type { Failure } from "@heliograph/contracts";
import { formatTime, quietUntil, receiptWait } from "@heliograph/domain";
import { allFailed, backoffMs, isSpent, ordinary, scheduleOf } from "./retry.ts";
import type { State } from "./state.ts";

/** How long an uncertain attempt waits for a receipt or for the provider's word before it is given up. */
const EVIDENCE_WAIT_MS = 600_000;
/** Between two looks for it. */
const EVIDENCE_LOOK_MS = 15_000;

/** What dispatch does next for a message. */
export type Step =
  | { readonly type: "nothing" }
  /** Look again at `at` (epoch ms). */
  | { readonly type: "wait"; readonly at: number; readonly why: TimerKind }
  /** A scheduled message is due: record that first, so that a cancellation and this race on the revision. */
  | { readonly type: "queue" }
  | { readonly type: "call"; readonly attempt: number }
  /** Ask the provider about the uncertain attempt; when it cannot be asked do `otherwise`. */
  | {
      readonly type: "ask";
      readonly attempt: number;
      readonly gateway: string;
      readonly otherwise: Step;
    }
  /** Look for a receipt of the uncertain attempt; without one do `otherwise`. */
  | { readonly type: "seek_evidence"; readonly attempt: number; readonly otherwise: Step }
  | { readonly type: "expire" }
  /** It is due in the recipient's quiet hours: that it waits for their end is recorded first. */
  | { readonly type: "delay"; readonly until: number }
  | { readonly type: "refuse"; readonly reason: string }
  /** A step was sent and nothing was heard of it in time: the next one begins, or this one is charged. */
  | { readonly type: "unheard"; readonly outcome: "no_receipt" | "settle" }
  | { readonly type: "exhaust"; readonly error: Failure; readonly reason: string };
/** Why a message waits. All but `look` say that with its row a wait is over; `look` says that somebody has to look, and nothing of what the message waits for. */
export type TimerKind =
  | "schedule"
  | "retry"
  | "uncertain"
  | "waiting"
  | "held"
  | "look"
  | "receipt"
  | "quiet";

export const uncertainFailure: Failure = { code: "uncertain", class: "timeout", permanent: true };

/**
 * Decides from the fold alone, so a restart, a due timer and a re-read event come to the same step. `waited`: a timer of this message has run out that was set when its stream had this
 * revision, -1 when none has. Then the wait that the phase asks for is over, also one that the log gives no time for (a back-off after a bounce), unless the phase began later: a crash
 * leaves the row of an earlier wait beside an outcome that is in the log already.
 */
export function decideStep(state: State | undefined, at: Moment): Step {
  const step = decideAttempt(state, at);
  return state === undefined ? step : outsideQuiet(state, step, at.now);
}

/** The provider knows nothing of an uncertain attempt: it is made again where it still may be. */
export const decideUnknown = (state: State, now: number): Step =>
  outsideQuiet(state, resend(state, now), now);

/** The step, unless it is an attempt in the recipient's quiet hours. */
function outsideQuiet(state: State, step: Step, now: number): Step {
  if (step.type !== "call") return step;
  const { quiet_hours: quiet, expires_at } = state.request;
  const until = quiet && quietUntil(quiet, now);
  if (until === undefined) return step;
  if (until === "never") return { type: "refuse", reason: "its quiet hours have no end" };
  if (quiet?.policy === "reject")
    return { type: "refuse", reason: `it is due in quiet hours, until ${formatTime(until)}` };
  return state.delays.includes(until)
    ? { type: "wait", at: Math.min(until, Date.parse(expires_at)), why: "quiet" }
    : { type: "delay", until };
}

type Moment = {
  readonly now: number;
  readonly waited: number;
  readonly random: number;
  readonly scale: number;
};
function decideAttempt(state: State | undefined, at: Moment): Step {
  if (state === undefined) return { type: "nothing" };
  const { request, phase, spent } = state;
  const { now } = at;
  const waited = at.waited >= state.phaseRevision;
  const expiresAt = Date.parse(request.expires_at);
  const expired = now >= expiresAt;
  switch (phase) {
    case "settled":
      return { type: "nothing" };
    case "sent": {
      const wait = waitOf(state);
      if (wait === undefined) return { type: "nothing" };
      return wait.until > now
        ? { type: "wait", at: wait.until, why: "receipt" }
        : { type: "unheard", outcome: wait.outcome };
    }
    case "requested":
    case "queued": {
      if (phase === "requested" && request.send_at !== undefined) {
        const sendAt = Date.parse(request.send_at);
        return sendAt > now && !waited
          ? { type: "wait", at: sendAt, why: "schedule" }
          : { type: "queue" };
      }
      return expired ? { type: "expire" } : { type: "call", attempt: state.attempt + 1 };
    }
    case "failing": {
      const error = state.error!;
      const { givenUp } = state;
      if (givenUp !== undefined) return { type: "exhaust", error, reason: givenUp };
      if (expired && !state.sent) return { type: "expire" };
      if (expired)
        return { type: "exhaust", error, reason: "the validity ended before the next attempt" };
      const schedule = scheduleOf(error);
      if (isSpent(spent, schedule)) return { type: "exhaust", error, reason: allFailed(schedule) };
      // A retry that would come after the validity has a row for the end of that: it says nothing of the retry, should the clock be put back.
      if (state.retryAt > now && !(waited && state.retryAt <= expiresAt))
        return { type: "wait", at: Math.min(state.retryAt, expiresAt), why: "retry" };
      return { type: "call", attempt: state.attempt + 1 };
    }
    case "bounced": {
      const error = state.error!;
      if (expired)
        return { type: "exhaust", error, reason: "the validity ended before the next attempt" };
      if (isSpent(spent, ordinary)) return { type: "exhaust", error, reason: allFailed(ordinary) };
      if (!waited)
        return {
          type: "wait",
          at: now + backoffMs(ordinary, spent.ordinary, at.random, at.scale),
          why: "retry",
        };
      return { type: "call", attempt: state.attempt + 1 };
    }
    case "uncertain":
      return decideUncertain(state, now, at.scale);
    default:
      return phase satisfies never;
  }
}

/** What a step that was sent waits for; undefined where nothing may follow it. */
const waitOf = ({ failover, request, sentAt }: State) =>
  failover && receiptWait(failover, Date.parse(request.expires_at), sentAt);

/** The same of one that is accepted now. */
export const waitAfter = (state: State, now: number): number | undefined =>
  waitOf({ ...state, sentAt: now })?.until;

function decideUncertain(state: State, now: number, scale: number): Step {
  const { gateway, policy, since } = state.uncertain!;
  const { attempt } = state;
  const over = now >= since + EVIDENCE_WAIT_MS * scale;
  const otherwise: Step = over
    ? {
        type: "exhaust",
        error: uncertainFailure,
        reason: "nothing has proved that the provider took the attempt",
      }
    : { type: "wait", at: now + EVIDENCE_LOOK_MS * Math.min(1, scale), why: "uncertain" };
  switch (policy) {
    case "ask_provider":
      return { type: "ask", attempt, gateway, otherwise };
    case "at_least_once":
      return resend(state, now);
    case "at_most_once":
      return { type: "seek_evidence", attempt, otherwise };
    default:
      return policy satisfies never;
  }
}

/** The same attempt again, with its number and its id, so that a provider that knows it can refuse the second one. */
function resend(state: State, now: number): Step {
  const give = (reason: string): Step => ({ type: "exhaust", error: uncertainFailure, reason });
  if (isSpent(state.spent, ordinary))
    return give(`the outcome of ${ordinary.mostFailures} calls is not known`);
  if (now >= Date.parse(state.request.expires_at))
    return give("the validity ended before the outcome was known");
  return { type: "call", attempt: state.attempt };
}
