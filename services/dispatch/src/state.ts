import { readEventFlaw, type EventData, type Failure } from "@heliograph/contracts";
import {
  beginFailover,
  type Billed,
  billedAfter,
  evolveFailover,
  nothingBilled,
  requestOfStep,
  timeOfEvent,
  type Failover,
} from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import { deferred, nothingSpent, ordinary, scheduleOf, spend, type Spent } from "./retry.ts";

export type Requested = EventData<"MessageRequested">;
type Uncertain = EventData<"DispatchUncertain">;

/**
 * A message as dispatch sees it, folded from its stream.
 * `settled` means that dispatch has nothing more to do, whatever happens.
 */
export type State = {
  /** As the step that is under way carries it out. */
  readonly request: Requested;
  /** Of a message with further steps. */
  readonly failover: Failover | undefined;
  /** The stream's first event: its id is the root of every id that dispatch derives. */
  readonly requestEvent: RecordedEvent<"MessageRequested">;
  /** Last revision of the stream: what the next append expects; and that event's id, the cause of what follows. */
  readonly revision: number;
  readonly lastEventId: string;
  readonly phase: "requested" | "queued" | "failing" | "uncertain" | "sent" | "bounced" | "settled";
  /** Revision of the event that began the phase: a wait that began before it was for something else. */
  readonly phaseRevision: number;
  /** Highest attempt number so far, 0 before any. */
  readonly attempt: number;
  /** Outcomes recorded so far, uncertain ones and answers to a question included: the event ids count these. */
  readonly calls: number;
  /** The same outcomes by the schedule whose budget they use up. */
  readonly spent: Spent;
  /** Some provider accepted the step that is under way once: from then on a send is a resend, and the validity no longer counts. */
  readonly sent: boolean;
  /** When it did last, epoch ms by the partner's clock. */
  readonly sentAt: number;
  /** Until when the message was said to wait, for the end of quiet hours or for a provider that takes no more, oldest first; epoch ms. */
  readonly delays: readonly number[];
  /** Gateways that failed since the last wait; a fail-over goes to another. */
  readonly failed: readonly string[];
  /** The first attempt, by gateway, that the recipient's server asked to repeat later, since the last one that was taken. */
  readonly putOff: ReadonlyMap<string, number>;
  readonly error: Failure | undefined;
  /** Why no further attempt follows the last one. */
  readonly givenUp: string | undefined;
  /** When the next attempt is due, epoch ms; 0 when at once. */
  readonly retryAt: number;
  /** The providers' ids of the attempts that were accepted. */
  readonly providerIds: readonly string[];
  readonly uncertain: (Uncertain & { readonly since: number }) | undefined;
} & Billed;

const begun = (event: RecordedEvent<"MessageRequested">): State => ({
  request: event.data,
  failover: beginFailover(event.data),
  requestEvent: event,
  revision: event.revision,
  lastEventId: event.id,
  phase: "requested",
  phaseRevision: event.revision,
  attempt: 0,
  calls: 0,
  spent: nothingSpent,
  sent: false,
  sentAt: 0,
  delays: [],
  failed: [],
  putOff: new Map(),
  error: undefined,
  ...nothingBilled,
  givenUp: undefined,
  retryAt: 0,
  providerIds: [],
  uncertain: undefined,
});

/** The next step of the message is what everybody acts on from here: its retries, and its validity, begin anew. */
const begin = (state: State, { step, expires_at }: EventData<"FailoverStarted">): State => ({
  ...state,
  request: requestOfStep(state.failover!.origin, step, expires_at),
  phase: "queued",
  spent: nothingSpent,
  sent: false,
  failed: [],
  putOff: new Map(),
  retryAt: 0,
  givenUp: undefined,
  uncertain: undefined,
});

const withPutOff = (
  putOff: State["putOff"],
  { error, gateway, attempt }: EventData<"DispatchAttemptFailed">,
): State["putOff"] =>
  scheduleOf(error) !== deferred || putOff.has(gateway)
    ? putOff
    : new Map([...putOff, [gateway, attempt]]);

/** By the clock that decides when the wait is over; events of before this version do not say. */
const doubted = (
  state: State,
  { data, recordedAt }: RecordedEvent<"DispatchUncertain">,
): State => ({
  ...state,
  phase: state.phase === "settled" ? "settled" : "uncertain",
  attempt: data.attempt,
  calls: state.calls + 1,
  spent: spend(state.spent, ordinary),
  uncertain: { ...data, since: data.at === undefined ? recordedAt : Date.parse(data.at) },
});

/** The next state; undefined until the request is seen. Types that dispatch does not know move only the revision. */
export function evolve(state: State | undefined, event: RecordedEvent): State | undefined {
  if (event.type === "MessageRequested") return begun(event);
  if (state === undefined) return undefined;
  const next = { ...after(state, event), ...billedAfter(state, event) };
  // What the provider told an owner of before is a fact, and comes after the end that its successor saw.
  return state.phase === "settled" ? { ...next, phase: "settled" } : next;
}

function after(state: State, event: RecordedEvent): State {
  const failover = state.failover && evolveFailover(state.failover, event);
  const next = { ...state, failover, revision: event.revision, lastEventId: event.id };
  const changed = { ...next, phaseRevision: event.revision };
  const { type, data } = event;
  switch (type) {
    case "MessageQueued":
      return { ...changed, phase: "queued" };
    case "DispatchAttemptFailed": {
      const failed = data.next === "failover" ? [...state.failed, data.gateway] : [];
      const retryAt = data.retry_at === undefined ? 0 : Date.parse(data.retry_at);
      return {
        ...changed,
        phase: "failing",
        attempt: data.attempt,
        calls: state.calls + 1,
        spent: spend(state.spent, scheduleOf(data.error)),
        failed,
        putOff: withPutOff(state.putOff, data),
        retryAt,
        error: data.error,
        givenUp: data.next === "give_up" ? data.reason : undefined,
        uncertain: undefined,
      };
    }
    case "DispatchUncertain":
      return doubted(changed, event);
    case "MessageSent":
    case "MessageResent":
      return {
        ...changed,
        phase: "sent",
        attempt: data.attempt,
        calls: state.calls + 1,
        spent: spend(state.spent, ordinary),
        sent: true,
        sentAt: timeOfEvent(event),
        providerIds: [...state.providerIds, data.provider.message_id],
        failed: [],
        putOff: new Map(),
        uncertain: undefined,
      };
    case "SendDelayed":
      return { ...next, delays: [...state.delays, Date.parse(data.until)] };
    case "FailoverStarted":
      return state.phase === "settled" ? next : begin(changed, data);
    case "MessageSettled":
      // Where it falls back on an earlier step, nothing is sent any more.
      return data.step === state.failover?.step ? next : { ...changed, phase: "settled" };
    case "BounceDeferred":
      // A late bounce of an attempt that a newer one has replaced changes nothing.
      return state.phase === "sent" && data.attempt === state.attempt
        ? { ...changed, phase: "bounced", error: data.error }
        : next;
    case "DispatchExhausted":
    case "MessageExpired":
    case "MessageCanceled":
    case "MessageRejected":
    case "MessageDelivered":
    case "MessageRead":
    case "MessageBounced":
    case "DeliveryFailed":
    case "MessageFailed":
    // Who was told an outcome, and another one later, does not get the message again.
    case "MessageCorrected":
      return { ...changed, phase: "settled" };
    default:
      return next;
  }
}

/** Folds the events of one stream `message-<id>`, oldest first. */
export function fold(events: Iterable<RecordedEvent>): State | undefined {
  let state: State | undefined;
  for (const event of events) state = evolve(state, event);
  return state;
}

/** Folds a message's stream. Throws when an event of it is not what its schema says: a call could be made whose outcome cannot be recorded. It takes 1 µs an event. */
export function soundFold(events: readonly RecordedEvent[]): State | undefined {
  for (const event of events) {
    const flaw = readEventFlaw(event);
    if (flaw !== undefined) throw new Error(`position ${event.position}: ${flaw}`);
  }
  return fold(events);
}

/** Whether an announced call's outcome is known, or does not matter any more. */
export const isOver = (state: State, call: number): boolean =>
  state.calls >= call || state.phase === "settled";
