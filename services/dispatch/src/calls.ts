import type { CallResult } from "./call-files.ts";
import type { Connection, Place } from "./connections.ts";
import type { Turn } from "./desk.ts";
import { type Admitted, type Announced, type Called, recipientOf } from "./job.ts";
import type { Lane } from "./lanes.ts";
import { isUntimely } from "./leave.ts";
import {
  callOf,
  comeBack,
  comeBackThrottled,
  comeBackWithFiles,
  giveBack,
  settle,
  strand,
} from "./outcomes.ts";
import { slowAfterMs } from "./pace.ts";
import { tellsOfAbsence, tellsOfFault, throttles } from "./retry.ts";

/** Their intent is durable: one recipient's are called one after another, different recipients' at once. */
export function announced(turn: Turn, jobs: readonly Admitted[]): void {
  const { jobs: all, lanes } = turn.desk;
  for (const { messageId, task, given } of jobs) {
    const lane = lanes.ready(all.put({ phase: "announced", messageId, task, given }));
    if (!lane.running) start(turn, lane);
  }
}

/** Takes a place of the gateway that the lane's next call goes to, or waits for one. */
function start(turn: Turn, { key, partner, ready }: Lane): void {
  const { connection } = ready.peek()!.given;
  const { lanes } = turn.desk;
  if (connection.active >= connection.config.max_concurrent) {
    connection.blocked.push(partner, { lane: key, inbox: turn.at.inbox });
    return lanes.run(key, undefined);
  }
  connection.active++;
  lanes.run(key, connection);
  callNext(turn, key);
}

/** Another lane had this place. One that was withdrawn meanwhile takes none: the next has its turn. */
export function placed(turn: Turn, { lane: key, connection }: Place): void {
  const { lanes } = turn.desk;
  const lane = lanes.of(key);
  if (lane === undefined || !lane.running || lane.place !== undefined)
    return freePlace(turn, connection);
  lanes.run(key, connection);
  callNext(turn, key);
}

/** Calls what is next in the lane. What goes to another gateway needs a place of that one. */
function callNext(turn: Turn, key: string): void {
  const { jobs, lanes } = turn.desk;
  withdrawVain(turn, key);
  const lane = lanes.of(key);
  if (lane === undefined) return;
  const { place } = lane;
  const next = lane.ready.peek();
  if (next !== undefined && next.given.connection === place) {
    lanes.next(key);
    const { messageId, task, given } = next;
    const job = jobs.put({ phase: "called", messageId, task, given });
    return void turn.effects.push({ type: "call", job });
  }
  lanes.rest(key);
  if (place !== undefined) freePlace(turn, place);
  if (next !== undefined) start(turn, lane);
}

/** Announced calls wait behind slow ones of their recipient: what could be sent then need not be now, nor by a gateway whose provider takes no more since. */
function withdrawVain(turn: Turn, key: string): void {
  const { lanes } = turn.desk;
  for (;;) {
    const next = lanes.of(key)?.ready.peek();
    if (next === undefined || !isVain(turn, next)) return;
    lanes.next(key);
    giveBack(turn, next);
    lanes.left(key);
  }
}

const isVain = ({ at }: Turn, { task, given: { connection } }: Announced): boolean =>
  isUntimely(at, task) || connection.rest.until(at.now, recipientOf(task)) !== undefined;

function freePlace({ effects }: Turn, connection: Connection): void {
  connection.active--;
  while (connection.active < connection.config.max_concurrent) {
    const waiter = connection.blocked.shift();
    if (waiter === undefined) return;
    connection.active++;
    effects.push({ type: "give place", waiter, connection });
  }
}

/** A provider has answered. */
export function answered(turn: Turn, called: Called, result: CallResult, durationMs: number): void {
  const { desk, at } = turn;
  if (!desk.jobs.isAs(called)) return;
  const { messageId, task, given } = called;
  const job = desk.jobs.put({ phase: "answered", messageId, task, given });
  count(called, result, durationMs, at.now);
  try {
    const answer = result.type === "not_called" ? result.refused : result;
    if (answer === undefined) comeBackWithFiles(turn, job);
    else if (answer.type !== "unavailable")
      settle(turn, { job, stream: task.stream, moment: task.moment, call: callOf(job) }, answer);
    else if (answer.throttles === undefined) comeBack(turn, job, answer.retryAfterMs);
    else comeBackThrottled(turn, job);
  } catch (error) {
    strand(turn, job, error);
  }
  goOn(turn, called, durationMs);
}

/** The owner is none any more: what was announced is the successor's. */
export function notMade(turn: Turn, called: Called): void {
  const { jobs } = turn.desk;
  if (!jobs.isAs(called)) return;
  const { messageId, task, given } = called;
  jobs.put({ phase: "announced", messageId, task, given });
  goOn(turn, called, 0);
}

function goOn(turn: Turn, { task: { lane } }: Called, durationMs: number): void {
  turn.desk.lanes.called(lane, durationMs);
  callNext(turn, lane);
}

/** What the gateway's health and pace are judged by. */
function count(
  { task, given: { connection, sending, ticket } }: Called,
  result: CallResult,
  durationMs: number,
  now: number,
): void {
  const { stats, breaker, config, rest } = connection;
  // Nobody was called, which tells nothing of the gateway; if this was the probe, another call may be.
  if (result.type === "not_called") return breaker.abandoned(ticket);
  const fault = tellsOfFault(result);
  stats.record(durationMs, !fault);
  const to = recipientOf(task);
  if (result.type === "accepted") rest.took(to, now);
  // Who has said so says it to all calls that are under way: that is one failure.
  if (throttles(result) && rest.throttled({ to, ...result }, now) === "gateway still")
    breaker.abandoned(ticket);
  else if (tellsOfAbsence(result)) breaker.unreachable(ticket, now);
  // How long files take says how large they are.
  else if (sending.media !== undefined) breaker.record(ticket, fault, now);
  else breaker.record(ticket, fault, now, { tookMs: durationMs, boundMs: slowAfterMs(config) });
}
