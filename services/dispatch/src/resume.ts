import { readEventFlaw, streamOf, type EventData } from "@heliograph/contracts";
import { attemptIdOf, type ProviderAnswer, type SendResult } from "@heliograph/gateways";
import type { EventLog, NewEvent, RecordedEvent } from "@heliograph/log";
import { isMachinery, type PartnerClock } from "@heliograph/runtime";
import type { Active } from "./active.ts";
import type { Verdict } from "./clearance.ts";
import type { Committer } from "./committer.ts";
import { decideStep, resend, type Step, type TimerKind } from "./decide.ts";
import { exhausted, expired, queued, stopped, uncertain, type Call } from "./events.ts";
import type { Floor, Mark } from "./floor.ts";
import type { Job } from "./job.ts";
import { jumped, momentMs, stamped, type Moment } from "./moment.ts";
import type { Outcomes } from "./outcomes.ts";
import type { Recorder } from "./recorder.ts";
import type { Opened } from "./opened.ts";
import { fold, type State } from "./state.ts";
import type { IntendedCall } from "./store.ts";

/** A message that dispatch has to look at. */
export type Look = Moment & {
  readonly messageId: string;
  readonly stream: string;
  readonly mark: Mark | undefined;
  /** A timer of it has run out. */
  readonly due: boolean;
};

/** Streams read in one query. */
const MOST_STREAMS = 500;
/** A message whose events cannot be understood is looked at again after this long: somebody may have mended them, or a version come that knows them. */
const HALTED_MS = 600_000;
/** A message of a suspended partner is looked at again after this long, should it have missed the waking. */
const HELD_MS = 600_000;

export type Resumer = {
  /** Reads the messages' streams, decides and does the next step of each. The messages must be in `active`. */
  resume(looks: readonly Look[]): Promise<void>;
  /** Does the first step of a message that nothing has been done for but its request. */
  begin(look: Look, request: RecordedEvent, causation: string): void;
};

type Options = {
  readonly log: EventLog;
  readonly recorder: Recorder;
  readonly committer: Committer;
  readonly floor: Floor;
  readonly active: Active;
  readonly clock: PartnerClock;
  readonly random: () => number;
  readonly scale: number;
  readonly add: (job: Job) => void;
  /** Asks a provider about an attempt; undefined when it cannot be asked now. */
  readonly ask: (gateway: string, attemptId: string) => Promise<SendResult | "unknown" | undefined>;
  readonly outcomes: Outcomes;
  readonly kindOf: (gateway: string) => string;
  readonly policyOf: (gateway: string) => EventData<"DispatchUncertain">["policy"];
  /** Calls that predecessors announced and nobody could settle, by message; what is settled is taken out. */
  readonly unsettled: Map<string, IntendedCall>;
  readonly broken: (error: unknown) => void;
  /** Whether a message may go to its provider. */
  readonly clearance: (state: State) => Verdict | Promise<Verdict>;
  /** Hears of a message that stands still, until when, and why. */
  readonly halted: (messageId: string, until: number, error: unknown) => void;
};

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

/** The way back into a message: after a restart, when a timer is due, after a lost race and when an event was not expected. */
export function createResumer(options: Options): Resumer {
  const { log, recorder, committer, floor, active, clock, random, scale, kindOf } = options;

  const timeOf = (look: Look): number => momentMs(clock, look);

  async function resume(looks: readonly Look[]): Promise<void> {
    for (let from = 0; from < looks.length; from += MOST_STREAMS) {
      const part = looks.slice(from, from + MOST_STREAMS);
      const streams = await log.readStreams(part.map(({ stream }) => stream));
      for (const look of part)
        orHalt(look, () => advance(look, soundFold(streams.get(look.stream) ?? [])));
    }
    committer.pump();
  }

  function again(look: Look): void {
    resume([look]).catch(options.broken);
  }

  function leave(look: Look): void {
    committer.timerDone(look.messageId);
    active.remove(look.messageId);
    if (look.mark !== undefined) floor.release(look.mark);
    committer.pump();
  }

  function wait(look: Look, at: number, why: TimerKind): void {
    if (!Number.isFinite(at)) throw new Error("it waits for a time that is none");
    active.remove(look.messageId);
    committer.timer(look.messageId, { dueAt: at, kind: why, partner: look.partner });
    if (look.mark !== undefined) floor.release(look.mark);
    committer.pump();
  }

  /** Until its partner is active again, which wakes it, or its validity ends. */
  function hold(look: Look, state: State): void {
    const at = Math.min(Date.parse(state.request.expires_at), clock.now(look.partner) + HELD_MS);
    wait(look, at, "held");
  }
  const isOverdue = (look: Look, { request }: State): boolean =>
    Date.parse(request.expires_at) <= timeOf(look);

  /** Damaged events of one message stop that message, and nothing else. */
  function orHalt(look: Look, work: () => void): void {
    try {
      work();
    } catch (error) {
      halt(look, error);
    }
  }
  const orHaltLater = (look: Look, work: Promise<void>): void =>
    void work.catch((error: unknown) =>
      isMachinery(error) ? options.broken(error) : halt(look, error),
    );

  function halt(look: Look, error: unknown): void {
    const until = clock.now(look.partner) + HALTED_MS;
    options.halted(look.messageId, until, error);
    wait(look, until, "waiting");
  }

  function record(look: Look, state: State, event: NewEvent, recorded: () => void): void {
    const events = stamped(clock, look, [event]);
    recorder.push({
      append: { stream: look.stream, expected: state.revision, events },
      recorded,
      conflicted: () => again(look),
      refused: (reason) => halt(look, new Error(reason)),
    });
  }

  function begin(look: Look, request: RecordedEvent, causation: string): void {
    orHalt(look, () => advance(look, soundFold([request]), causation));
  }

  function advance(look: Look, state: State | undefined, causation?: string): void {
    const next = decideStep(state, { now: timeOf(look), due: look.due, random: random(), scale });
    if (state === undefined) return leave(look);
    const call = options.unsettled.get(look.messageId);
    if (call !== undefined) {
      const [, attempt, number, gateway] = call;
      const settled = (): void => {
        options.unsettled.delete(look.messageId);
        again(look);
      };
      if (isOver(state, number)) return settled();
      const about = {
        attempt,
        gateway,
        cause: "crash" as const,
        policy: options.policyOf(gateway),
      };
      const doubt = uncertain(state, about, state.lastEventId, timeOf(look));
      return record(look, state, doubt, settled);
    }
    take(look, state, next, causation ?? state.lastEventId);
  }

  function take(look: Look, state: State, step: Step, causation: string): void {
    if (step.type !== "call" && step.type !== "queue")
      return carryOut(look, state, step, causation);
    const go = (verdict: Verdict): void =>
      verdict.type === "stopped"
        ? record(look, state, stopped(state, verdict.code, verdict.reason, causation), () =>
            leave(look),
          )
        : verdict.type === "held" && !isOverdue(look, state)
          ? hold(look, state)
          : carryOut(
              look,
              state,
              step,
              causation,
              "opened" in verdict ? verdict.opened : undefined,
            );
    const verdict = options.clearance(state);
    if (!(verdict instanceof Promise)) return go(verdict);
    orHaltLater(
      look,
      verdict.then((found) => {
        go(found);
        committer.pump();
      }),
    );
  }

  function carryOut(
    look: Look,
    state: State,
    step: Step,
    causation: string,
    opened?: Opened,
  ): void {
    switch (step.type) {
      case "nothing":
        return leave(look);
      case "wait":
        return wait(look, step.at, step.why);
      case "call":
        return options.add(toJob(look, state, step.attempt, causation, opened, clock));
      case "queue": {
        const event = queued(state, causation);
        return record(look, state, event, () =>
          orHalt(look, () => advance(look, nowQueued(state, event.id))),
        );
      }
      case "expire":
        return record(expiring(clock, look, state), state, expired(state, causation), () =>
          leave(look),
        );
      case "exhaust":
        return record(
          look,
          state,
          exhausted(state, state.attempt, step.error, step.reason, causation),
          () => leave(look),
        );
      case "ask":
        return orHaltLater(look, ask(look, state, step, causation));
      case "seek_evidence":
        return orHaltLater(look, seekEvidence(look, state, step, causation));
      default:
        return step satisfies never;
    }
  }

  async function ask(
    look: Look,
    state: State,
    step: Extract<Step, { type: "ask" }>,
    causation: string,
  ): Promise<void> {
    const answer = await options.ask(step.gateway, attemptIdOf(look.messageId, step.attempt));
    if (answer === "unknown") take(look, state, resend(state, timeOf(look)), causation);
    else if (answer === undefined || answer.type === "uncertain" || answer.type === "unavailable")
      take(look, state, step.otherwise, causation);
    else settle(look, callOf(state, causation, asked, kindOf), answer);
    committer.pump();
  }

  function settle(look: Look, call: Call, answer: ProviderAnswer): void {
    options.outcomes.settle(
      {
        ...look,
        moment: look,
        call,
        number: call.state.calls + 1,
        done: () => leave(look),
        refused: (reason) => halt(look, new Error(reason)),
      },
      answer,
    );
  }

  /** A receipt of the uncertain attempt proves that the provider took it. */
  async function seekEvidence(
    look: Look,
    state: State,
    step: Extract<Step, { type: "seek_evidence" }>,
    causation: string,
  ): Promise<void> {
    const receipts = await log.readStream(streamOf("receipts", look.messageId));
    const proof = proofIn(receipts, state);
    if (proof === undefined) take(look, state, step.otherwise, causation);
    else settle(look, callOf(state, proof.id, proven, kindOf), proof.answer);
    committer.pump();
  }

  return { resume, begin };
}

const asked = "the provider was asked what became of the attempt";
const proven = "a receipt proves that the provider took the attempt";

const nowQueued = (state: State, lastEventId: string): State => ({
  ...state,
  phase: "queued",
  revision: state.revision + 1,
  lastEventId,
});

/** The receipt of the uncertain attempt, and the answer that it stands for. */
function proofIn(
  receipts: readonly RecordedEvent<"ReceiptReceived">[],
  { uncertain: doubt, providerIds }: State,
): { readonly id: string; readonly answer: ProviderAnswer } | undefined {
  const proof = receipts.find(
    ({ data }) =>
      data.gateway === doubt!.gateway && !providerIds.includes(data.provider_message_id),
  );
  if (proof === undefined) return undefined;
  const { provider_message_id: providerMessageId, status } = proof.data;
  return { id: proof.id, answer: { type: "accepted", providerMessageId, status } };
}

/** A message expires when its validity ends, although its gateway was waited for until now. */
const expiring = (clock: PartnerClock, look: Look, { request }: State): Look => ({
  ...look,
  at: look.at ?? jumped(clock, look.partner, Date.parse(request.expires_at)),
});

/** The call that is to be made. Throws for a validity that is no time. */
function toJob(
  look: Look,
  state: State,
  attempt: number,
  causation: string,
  opened: Opened | undefined,
  clock: PartnerClock,
): Job {
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
    isExpired: () => expiresAt <= momentMs(clock, look),
    since: Date.now(),
    mark: look.mark,
  };
}

/** The uncertain call, of which something is known now. */
function callOf(state: State, causation: string, reason: string, kindOf: Options["kindOf"]): Call {
  const { attempt } = state;
  const { gateway } = state.uncertain!;
  const attemptId = attemptIdOf(state.request.message_id, attempt);
  return {
    state,
    attempt,
    attemptId,
    gateway,
    gatewayKind: kindOf(gateway),
    choice: { reason },
    causation,
  };
}
