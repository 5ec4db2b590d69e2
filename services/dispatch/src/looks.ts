import type { Failure } from "@heliograph/contracts";
import { attemptIdOf, type ProviderAnswer, type SendResult } from "@heliograph/gateways";
import type { NewEvent, RecordedEvent } from "@heliograph/log";
import type { PartnerClock } from "@heliograph/runtime";
import type { Verdict } from "./clearance.ts";
import { decideStep, decideUnknown, type Step } from "./decide.ts";
import { announcementOver, toLog } from "./decisions.ts";
import type { Case, LookEntry, Turn, Written } from "./desk.ts";
import { delayed, queued, uncertain, type Call } from "./events.ts";
import type { Look, LookedAt, Task, Waiting } from "./job.ts";
import { claim, halt, leave, lookAgain, lookAt, orHalt, wait } from "./leave.ts";
import { momentMs, stamped } from "./moment.ts";
import type { Opened } from "./opened.ts";
import { settle } from "./outcomes.ts";
import { isOver, soundFold, type State } from "./state.ts";
import { endStep, expiry, stopped, unheard } from "./steps.ts";

/** A message of a suspended partner is looked at again after this, should it have missed the waking. */
const HELD_MS = 600_000;

const senderRefused: Failure = { code: "sender_not_allowed", class: "content", permanent: true };

const timeOf = ({ at }: Turn, { look }: LookedAt): number => momentMs(at.clock, look);

/** The streams of messages were read. */
export function streamsRead(
  turn: Turn,
  jobs: readonly LookedAt[],
  streams: ReadonlyMap<string, readonly RecordedEvent[]>,
): void {
  for (const asked of jobs) {
    const job = claim(turn, asked);
    if (job !== undefined)
      orHalt(turn, job, () => advance(turn, job, soundFold(streams.get(job.look.stream) ?? [])));
  }
}

/** Does the first step of a message that nothing has been done for but its request. */
export function begin(turn: Turn, job: LookedAt, request: RecordedEvent, causation: string): void {
  orHalt(turn, job, () => advance(turn, job, soundFold([request]), causation));
}

/** The way into a message: when its funds are held, after a restart, when a timer is due, after a lost race and when an event was not expected. */
function advance(
  turn: Turn,
  job: LookedAt,
  state: State | undefined,
  causation = state?.lastEventId,
): void {
  const { desk, at } = turn;
  const { waited } = job.look;
  const now = timeOf(turn, job);
  const step = decideStep(state, { now, waited, random: at.random(), scale: at.scale });
  if (state === undefined) return leave(turn, job);
  if (desk.unsettled.has(job.messageId)) return doubt(turn, job, state, step);
  take(turn, { job, state, step, causation: causation! });
}

/** A predecessor announced a call that nobody could settle: before anything else its outcome is recorded as uncertain. */
function doubt(turn: Turn, job: LookedAt, state: State, step: Step): void {
  const { desk, at } = turn;
  const call = desk.unsettled.get(job.messageId);
  if (call === undefined) {
    if (step.type === "nothing") return leave(turn, job);
    throw new Error("the row of dispatch.intents that announces a call for it cannot be read");
  }
  const [, attempt, number, gateway] = call;
  if (isOver(state, number)) {
    desk.unsettled.delete(job.messageId);
    return lookAgain(turn, job);
  }
  const about = {
    attempt,
    gateway,
    cause: "crash" as const,
    policy: at.gateways.policyOf(gateway),
  };
  const event = uncertain(state, about, state.lastEventId, timeOf(turn, job));
  record(turn, job, state, event, "look again");
}

function record(
  turn: Turn,
  job: LookedAt,
  state: State,
  decided: NewEvent | readonly NewEvent[],
  next: LookEntry["next"],
  moment: Look = job.look,
): void {
  const events = stamped(turn.at.clock, moment, [decided].flat());
  const append = { stream: job.look.stream, expected: state.revision, events };
  toLog(turn, { type: "look", row: undefined, append, job, state, next });
}

/** It waits in memory, and its stream says so before it waits on in a row. */
export function tellOfWait(turn: Turn, waiting: Waiting, told: NewEvent): void {
  const { messageId, mark, task } = waiting;
  const { stream, moment, state } = task;
  const look = { messageId, stream, mark, waited: state.revision, ...moment };
  record(turn, lookAt(turn, look), state, told, "look again");
}

/** A step of the message ends; where the next one follows, it begins at once. */
function recordEnd(
  turn: Turn,
  { job, state }: Case,
  { events, goesOn }: ReturnType<typeof endStep>,
  moment?: Look,
): void {
  record(turn, job, state, events, goesOn ? "look again" : "leave", moment);
}

/** An event that a look has decided is in the log, or is not. */
export function lookWritten(turn: Turn, entry: LookEntry, outcome: Written): void {
  const job = claim(turn, entry.job);
  if (job === undefined) return;
  announcementOver(turn, entry);
  if (outcome.kind === "conflict") return lookAgain(turn, job);
  if (outcome.kind === "refused") return halt(turn, job, new Error(outcome.reason));
  switch (entry.next) {
    case "leave":
      return leave(turn, job);
    case "look again":
      turn.desk.unsettled.delete(job.messageId);
      return lookAgain(turn, job);
    case "call": {
      const state = nowQueued(entry.state, entry.append.events[0]!.id);
      return orHalt(turn, job, () => advance(turn, job, state));
    }
    default:
      return entry.next satisfies never;
  }
}

/** What goes to a provider, or becomes ready to, is cleared first. */
function take(turn: Turn, of: Case): void {
  if (of.step.type === "call" || of.step.type === "queue") turn.effects.push({ type: "clear", of });
  else carryOut(turn, of);
}

export function cleared(turn: Turn, asked: Case, verdict: Verdict): void {
  const job = claim(turn, asked.job);
  if (job === undefined) return;
  const of = { ...asked, job };
  orHalt(turn, job, () => {
    switch (verdict.type) {
      case "stopped": {
        const event = stopped(of.state, verdict.code, verdict.reason, of.causation);
        return record(turn, job, of.state, event, "leave");
      }
      case "sender_refused": {
        const { reason } = verdict;
        const attempts = of.state.attempt;
        const end = { what: "failed", attempts, error: senderRefused, reason } as const;
        return recordEnd(turn, of, endStep(of.state, end, of.causation, timeOf(turn, job)));
      }
      case "held":
        return isOverdue(turn, of) ? carryOut(turn, of) : hold(turn, of);
      case "over":
        return leave(turn, job);
      case "cleared":
        return carryOut(turn, of, verdict.opened);
      default:
        return verdict satisfies never;
    }
  });
}

const isOverdue = (turn: Turn, { job, state: { request } }: Case): boolean =>
  Date.parse(request.expires_at) <= timeOf(turn, job);

/** Until its partner is active again, which wakes it, or its validity ends. */
function hold(turn: Turn, { job, state }: Case): void {
  const later = turn.at.clock.now(job.look.partner) + HELD_MS;
  wait(turn, job, Math.min(Date.parse(state.request.expires_at), later), "held", state.revision);
}

function carryOut(turn: Turn, of: Case, opened?: Opened): void {
  const { job, state, step, causation } = of;
  const { effects } = turn;
  switch (step.type) {
    case "nothing":
      return leave(turn, job);
    case "wait":
      return wait(turn, job, step.at, step.why, state.revision);
    case "call":
      return line(turn, job, toTask(turn, of, step.attempt, opened));
    case "queue":
      return record(turn, job, state, queued(state, causation), "call");
    case "expire": {
      const moment = expiring(turn.at.clock, job.look, state);
      const now = momentMs(turn.at.clock, moment);
      return recordEnd(turn, of, endStep(state, expiry(state), causation, now), moment);
    }
    case "exhaust": {
      const { error, reason } = step;
      const end = { what: "failed", attempts: state.attempt, error, reason } as const;
      return recordEnd(turn, of, endStep(state, end, causation, timeOf(turn, job)));
    }
    case "delay":
      return record(turn, job, state, delayed(state, step.until, causation), "look again");
    case "refuse": {
      const event = stopped(state, "quiet_hours", step.reason, causation);
      return record(turn, job, state, event, "leave");
    }
    case "unheard":
      return recordEnd(turn, of, unheard(state, step.outcome, causation, timeOf(turn, job)));
    case "ask": {
      const attemptId = attemptIdOf(job.messageId, step.attempt);
      return void effects.push({ type: "ask", of, gateway: step.gateway, attemptId });
    }
    case "seek_evidence":
      return void effects.push({ type: "seek receipts", of });
    default:
      return step satisfies never;
  }
}

/** What a provider says of an uncertain attempt; undefined when it cannot be asked now. */
export function asked(turn: Turn, of: Case, answer: SendResult | "unknown" | undefined): void {
  const job = claim(turn, of.job);
  if (job === undefined || of.step.type !== "ask") return;
  const { state, causation, step } = of;
  orHalt(turn, job, () => {
    if (answer === "unknown")
      take(turn, { job, state, causation, step: decideUnknown(state, timeOf(turn, job)) });
    else if (answer === undefined || answer.type === "uncertain" || answer.type === "unavailable")
      take(turn, { job, state, causation, step: step.otherwise });
    else settleDoubt(turn, job, callOf(turn, state, causation, wasAsked), answer);
  });
}

/** A receipt of the uncertain attempt proves that the provider took it. */
export function receiptsRead(
  turn: Turn,
  of: Case,
  receipts: readonly RecordedEvent<"ReceiptReceived">[],
): void {
  const job = claim(turn, of.job);
  if (job === undefined || of.step.type !== "seek_evidence") return;
  const { state, causation, step } = of;
  orHalt(turn, job, () => {
    const proof = proofIn(receipts, state);
    if (proof === undefined) take(turn, { job, state, causation, step: step.otherwise });
    else settleDoubt(turn, job, callOf(turn, state, proof.id, isProven), proof.answer);
  });
}

const settleDoubt = (turn: Turn, job: LookedAt, call: Call, answer: ProviderAnswer): void =>
  settle(turn, { job, stream: job.look.stream, moment: job.look, call }, answer);

const wasAsked = "the provider was asked what became of the attempt";
const isProven = "a receipt proves that the provider took the attempt";

const nowQueued = (state: State, lastEventId: string): State => ({
  ...state,
  phase: "queued",
  phaseRevision: state.revision + 1,
  revision: state.revision + 1,
  lastEventId,
});

/** The receipt of the uncertain attempt, and the answer that it stands for. */
function proofIn(
  receipts: readonly RecordedEvent<"ReceiptReceived">[],
  { uncertain: doubted, providerIds }: State,
): { readonly id: string; readonly answer: ProviderAnswer } | undefined {
  const proof = receipts.find(
    ({ data }) =>
      data.gateway === doubted!.gateway && !providerIds.includes(data.provider_message_id),
  );
  if (proof === undefined) return undefined;
  const { provider_message_id: providerMessageId, status } = proof.data;
  return { id: proof.id, answer: { type: "accepted", providerMessageId, status } };
}

/** A message expires when its validity ends, although its gateway was waited for until now. */
const expiring = (clock: PartnerClock, look: Look, { request }: State): Look => ({
  ...look,
  at: look.at ?? clock.instant(look.partner, Date.parse(request.expires_at)),
});

/** The call that is to be made. Throws for a validity that is no time. */
function toTask(
  { at }: Turn,
  { job: { look }, state, causation }: Case,
  attempt: number,
  opened: Opened | undefined,
): Task {
  const { request, requestEvent } = state;
  const expiresAt = Date.parse(request.expires_at);
  if (Number.isNaN(expiresAt)) throw new Error("its validity ends at a time that is none");
  return {
    messageId: look.messageId,
    stream: look.stream,
    state,
    attempt,
    call: state.calls + 1,
    causation,
    opened,
    lane: `${requestEvent.metadata.partner} ${request.channel} ${(opened ?? request).to}`,
    expiresAt,
    moment: { partner: look.partner, at: look.at },
    since: at.now,
  };
}

function line({ desk }: Turn, { messageId, look: { mark } }: LookedAt, task: Task): void {
  desk.lanes.add(desk.jobs.put({ phase: "waiting", messageId, task, mark }));
}

/** The uncertain call, of which something is known now. */
function callOf({ at }: Turn, state: State, causation: string, reason: string): Call {
  const { attempt } = state;
  const { gateway } = state.uncertain!;
  const attemptId = attemptIdOf(state.request.message_id, attempt);
  const gatewayKind = at.gateways.byName(gateway)?.config.kind ?? "unknown";
  return { state, attempt, attemptId, gateway, gatewayKind, choice: { reason }, causation };
}
