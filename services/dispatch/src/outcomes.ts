import { billedBy } from "@heliograph/domain";
import type { ProviderAnswer } from "@heliograph/gateways";
import type { NewEvent, RecordedEvent } from "@heliograph/log";
import { mayHave } from "./choose.ts";
import type { Connection } from "./connections.ts";
import type { OutcomeEntry, Turn, Written } from "./desk.ts";
import { announcementOver, toLog } from "./decisions.ts";
import { waitAfter } from "./decide.ts";
import { accepted, attemptFailed, throttled, uncertain, type Call } from "./events.ts";
import {
  type Admitted,
  type Announced,
  type Answered,
  type Called,
  type LookedAt,
  recipientOf,
  routedOf,
  type Task,
} from "./job.ts";
import { claim, halt, leave, leaveMemory, putOff, rowOf } from "./leave.ts";
import { momentMs, stamped, type Moment } from "./moment.ts";
import { restOfAll, type Rested } from "./rest.ts";
import { decideRetry } from "./retry.ts";
import { alternatives } from "./routing.ts";
import { endStep } from "./steps.ts";
import { withoutAddresses } from "./without-addresses.ts";

/** A channel without any gateway, or whose gateway had no connection, is looked at again after this. */
export const NO_GATEWAY_MS = 5_000;

/** A mail whose files are not to be had now is looked at again after this, and then ever later. */
const LEAST_FILES_MS = 2_000;
const LONGEST_FILES_MS = 20_000;

/** Waits for a provider that takes no more, or for quiet hours, that the stream of a message tells of: one that is put off again and again tells no more of it. */
const MOST_TOLD = 20;

/** That it waits for a provider that takes no more for now, where its stream does not say so already. */
export function throttledUntil(
  { at: { clock } }: Turn,
  { state, moment, causation }: Task,
  { until, gateway }: Rested,
): NewEvent | undefined {
  const told = until + clock.aheadMs(moment.partner);
  return state.delays.length >= MOST_TOLD || state.delays.includes(told)
    ? undefined
    : throttled(state, gateway, told, causation);
}

/** A call that has come to something. */
export type Target = {
  readonly job: Answered | LookedAt;
  readonly stream: string;
  readonly call: Call;
  readonly moment: Moment;
};
type Next = OutcomeEntry["next"];

/** Turns the result of a call into events, and into a timer what must follow. */
export function settle(turn: Turn, target: Target, result: ProviderAnswer): void {
  const { call, moment } = target;
  const now = momentMs(turn.at.clock, moment);
  switch (result.type) {
    case "accepted": {
      const at = waitAfter(call.state, now);
      const next: Next = at === undefined ? undefined : { at, kind: "receipt" };
      return record(turn, target, [accepted(call, result, now)], next);
    }
    case "rejected":
      return rejected(turn, target, result, now);
    case "uncertain": {
      const { attempt, gateway, causation } = call;
      const policy = turn.at.gateways.policyOf(gateway);
      const about = { attempt, gateway, cause: result.cause, policy };
      const event = uncertain(call.state, about, causation, now);
      return record(turn, target, [event], { at: now, kind: "uncertain" });
    }
    default:
      return result satisfies never;
  }
}

function rejected(
  turn: Turn,
  target: Target,
  result: Extract<ProviderAnswer, { type: "rejected" }>,
  now: number,
): void {
  const { call } = target;
  const { state } = call;
  const error = withoutAddresses(result.error, state.request.to);
  const { random, scale } = turn.at;
  const decision = decideRetry(error, state.spent, others(turn, call), {
    now,
    random: random(),
    scale,
  });
  const failed = attemptFailed(call, error, decision);
  switch (decision.next) {
    case "give_up": {
      const { reason } = decision;
      const end = { what: "failed", attempts: call.attempt, error, reason } as const;
      const after = { ...state, ...billedBy(state, error) };
      const { events, goesOn } = endStep(after, end, failed.id, now);
      const next: Next = goesOn ? { at: now, kind: "retry" } : undefined;
      return record(turn, target, [failed, ...events], next);
    }
    case "failover":
      return record(turn, target, [failed], { at: now, kind: "retry" });
    case "retry": {
      // When the validity ends before, that is when to look again: the message expires then, not later.
      const expiresAt = state.sent ? decision.retryAt : Date.parse(state.request.expires_at);
      const at = Math.min(decision.retryAt, expiresAt);
      return record(turn, target, [failed], { at, kind: "retry" });
    }
    default:
      return decision satisfies never;
  }
}

/** Healthy gateways that might have the message and have not failed it since its last wait, this one apart. */
const others = ({ at }: Turn, { state, gateway, choice }: Call): number =>
  alternatives(at.gateways.forChannel(state.request.channel), choice, gateway).filter(
    ({ name, unhealthy }) => unhealthy === undefined && !state.failed.includes(name),
  ).length;

function record(turn: Turn, target: Target, events: readonly NewEvent[], next: Next): void {
  const { stream, job, call, moment } = target;
  const told = stamped(turn.at.clock, moment, events);
  const append = { stream, expected: call.state.revision, events: told };
  const row = undefined;
  toLog(turn, { type: "outcome", row, append, job, call, moment, events, next });
}

/** An outcome is in the log, or is not. */
export function outcomeWritten(turn: Turn, entry: OutcomeEntry, outcome: Written): void {
  const { desk, effects } = turn;
  if (!desk.jobs.isAs(entry.job)) return;
  announcementOver(turn, entry);
  switch (outcome.kind) {
    case "recorded":
      return done(turn, entry);
    case "conflict":
      // It is another job from here on: who comes with the same outcome again is late.
      return void effects.push({
        type: "read again",
        entry: { ...entry, job: claim(turn, entry.job)! },
      });
    case "refused":
      return entry.job.phase === "answered"
        ? strand(turn, entry.job, outcome.reason)
        : halt(turn, entry.job, new Error(outcome.reason));
    default:
      return outcome satisfies never;
  }
}

/** Somebody else has written to the stream. What a provider said is a fact and is recorded after it, unless a successor speaks for this owner. */
export function overtaken(turn: Turn, entry: OutcomeEntry, stored: readonly RecordedEvent[]): void {
  const job = claim(turn, entry.job);
  if (job === undefined) return;
  const again = { ...entry, job };
  if (stored.some(({ id }) => id === entry.events[0]!.id)) return done(turn, again);
  const expected = stored.at(-1)?.revision ?? -1;
  const append = { ...entry.append, expected };
  toLog(turn, factOf(turn, { ...again, append }));
}

/** Of a message with further steps only what the provider said stands: whether a step follows it is decided anew, on what was written meanwhile. */
function factOf(turn: Turn, entry: OutcomeEntry): OutcomeEntry {
  if (entry.call.state.failover === undefined || entry.events.length === 1) return entry;
  const [fact, told] = [entry.events.slice(0, 1), entry.append.events.slice(0, 1)];
  const next = { at: momentMs(turn.at.clock, entry.moment), kind: "retry" } as const;
  return { ...entry, events: fact, append: { ...entry.append, events: told }, next };
}

function done(turn: Turn, { job, moment, next, call, events }: OutcomeEntry): void {
  if (job.phase === "answered") finish(turn, job, "recorded");
  else leave(turn, job);
  if (next === undefined) return;
  const revision = call.state.revision + events.length;
  const timer = { dueAt: next.at, kind: next.kind, partner: moment.partner, revision };
  turn.desk.rows.set(job.messageId, timer);
}

export function finish(turn: Turn, job: Answered | Called, call: "recorded" | "notMade"): void {
  const { connection, group } = job.given;
  giveRoom(turn, connection);
  leaveMemory(turn, job);
  turn.desk.intents[call](group, job.messageId);
}

/** The gateway has its room back: from a desk that is closed it has it already. */
export function giveRoom({ desk, effects }: Turn, connection: Connection): void {
  if (desk.life === "closed") return;
  connection.open--;
  desk.pressing = true;
  effects.push({ type: "release", connection });
}

/** An announced job that is not called yet becomes a row again, and its intent names it no longer. */
export function giveBack(turn: Turn, job: Admitted | Announced): void {
  const { messageId, task, given } = job;
  abandon(turn, given);
  putOff(turn, { phase: "announced", messageId, task, given }, turn.at.now);
  turn.desk.intents.notMade(given.group, messageId);
}

/** Nobody waits for the outcome of its call any more. */
export function abandon(turn: Turn, { connection, ticket }: Admitted["given"]): void {
  connection.breaker.abandoned(ticket);
  giveRoom(turn, connection);
}

/** Nobody can record what the call came to: it stays announced until the next owner looks at it, and the gateway has its place back. */
export function strand(turn: Turn, job: Answered, error: unknown): void {
  const { messageId, task, given } = job;
  const about = { message: messageId, err: error };
  const what = "the outcome of a call cannot be recorded: it stays announced";
  turn.effects.push({ type: "halted", about, what });
  turn.desk.jobs.put({ phase: "stranded", messageId, task, given });
  giveRoom(turn, given.connection);
}

/** There was no connection, so there was no attempt: the message goes to another gateway at once, or waits until one may be there again. */
export function comeBack(turn: Turn, job: Answered, retryAfterMs: number | undefined): void {
  // The row and the end of the announcement share a commit.
  const row = rowOf(turn, job.task, triedAgainAt(turn, job, retryAfterMs));
  turn.desk.rows.set(job.messageId, row);
  finish(turn, job, "notMade");
}

/**
 * The provider takes no more for now, of it or of anybody: that was no attempt. Another gateway may have it at once; where every one that may rests, its stream says until when it waits. Who waits for
 * its turn at one that is healthy and full waits with the others.
 */
export function comeBackThrottled(turn: Turn, job: Answered): void {
  const { at } = turn;
  const { task } = job;
  const rest = restOfAll(mayHave(at.gateways.routeOf(routedOf(task))), recipientOf(task), at.now);
  if (rest === undefined) return comeBack(turn, job, 0);
  const told = throttledUntil(turn, task, rest);
  if (told === undefined) return comeBack(turn, job, rest.until - at.now);
  const { dueAt, kind } = rowOf(turn, task, rest.until);
  const target = { job, stream: task.stream, moment: task.moment, call: callOf(job) };
  return record(turn, target, [told], { at: dueAt, kind });
}

/** Its files were not to be had: it waits as long as it has waited already, within bounds, so that many of them ask less and less. No other gateway has them either. */
export function comeBackWithFiles(turn: Turn, job: Answered): void {
  const { clock, scale } = turn.at;
  const { request, requestEvent } = job.task.state;
  const since = Math.max(requestEvent.recordedAt, Date.parse(request.send_at ?? "") || 0);
  const waitedMs = momentMs(clock, job.task.moment) - since;
  const waitMs = Math.min(LONGEST_FILES_MS, Math.max(LEAST_FILES_MS, waitedMs));
  comeBack(turn, job, waitMs * scale);
}

/** After a call that could not be made: at once where another gateway may have the message, else when this one may be there again. */
function triedAgainAt(
  { at: { now, gateways } }: Turn,
  { task, given: { connection, choice } }: Answered,
  retryAfterMs: number | undefined,
): number {
  if (retryAfterMs !== undefined) return now + retryAfterMs;
  const ofChannel = gateways.forChannel(task.state.request.channel);
  const left = alternatives(ofChannel, choice, connection.name);
  if (left.some(({ unhealthy }) => unhealthy === undefined)) return now;
  return connection.nextAt() ?? now + NO_GATEWAY_MS;
}

export const callOf = ({ task, given }: Announced | Called | Answered): Call => ({
  state: task.state,
  attempt: task.attempt,
  attemptId: given.sending.attemptId,
  gateway: given.connection.name,
  gatewayKind: given.connection.config.kind,
  choice: given.choice,
  causation: task.causation,
});
