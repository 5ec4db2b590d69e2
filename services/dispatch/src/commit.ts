import type { WritePart } from "@heliograph/runtime";
import { attemptOf } from "./attempt.ts";
import { announced } from "./calls.ts";
import { announceAppends, appendsAnnounced, decides } from "./decisions.ts";
import type { Committing, Turn } from "./desk.ts";
import type { Admitted, Waiting } from "./job.ts";
import type { Chosen } from "./lanes.ts";
import { giveBack, NO_GATEWAY_MS } from "./outcomes.ts";
import { isUntimely, lookAgain, lookAt, putOff, release } from "./leave.ts";
import type { IntendedCall } from "./store.ts";

/** Calls in one intent: bounds the row, and what one commit waits for. */
const MOST_CALLS = 500;
/** What needs no commit of its own waits so long for one that happens anyway: removed intents, whose outcomes a successor finds in the log, and a moved position. */
const LINGER_MS = 1_000;

/**
 * One durable commit per group of calls carries everything: the intent, finished intents, timers and the checkpoint.
 *
 *   idle ──jobs or timers wait──▶ under way ──▶ idle, and looks again
 *    │                               └──error──▶ failed: nothing is committed any more, the runtime starts a new owner
 *    ├──only finished intents or a position wait──▶ idle, with an alarm in a second
 *    └──finish──▶ finished, after one last commit
 *
 * While a commit is under way everything new gathers for the next one. Between the commit of an intent and the removal of it, a crash leaves the group's calls
 * uncertain; `recover.ts` settles them.
 */
export function commitWhatIsUrgent(turn: Turn): void {
  const { desk, at, effects } = turn;
  if (desk.committing !== undefined) return;
  if (desk.life === "finishing") return finish(turn);
  if (!commits(turn)) return;
  const chosen = admit(turn);
  if (chosen.length > 0 || desk.rows.count > 0 || decides(desk)) return begin(turn, chosen);
  if (desk.lingers || !isBehind(turn)) return;
  desk.lingers = true;
  effects.push({ type: "wake", for: "linger", at: at.now + LINGER_MS });
}

/** What has waited for a commit of something else gets its own. */
export function lingered(turn: Turn): void {
  const { desk } = turn;
  desk.lingers = false;
  if (desk.committing === undefined && commits(turn) && isBehind(turn)) begin(turn, []);
}

/** Everything that is left is committed. */
function finish(turn: Turn): void {
  turn.desk.life = "finished";
  if (turn.desk.failed) turn.effects.push({ type: "over", what: "commits" });
  else begin(turn, []);
}

const commits = ({ desk: { failed, life } }: Turn): boolean =>
  !failed && (life === "open" || life === "closing");

const isBehind = ({ desk }: Turn): boolean =>
  desk.intents.waiting || desk.rows.waiting || desk.floor.position() > desk.position;

/** Takes what there is room for at the gateways. */
function admit(turn: Turn): readonly Chosen[] {
  const { desk, at, effects } = turn;
  if (desk.life !== "open" || desk.lanes.waiting === 0) return [];
  const { now, gateways, random } = at;
  const { chosen, unfit } = desk.lanes.admit(MOST_CALLS, {
    gateways,
    random,
    now,
    isUntimely: (task) => isUntimely(at, task),
  });
  for (const { job, why } of unfit) {
    if (why === "untimely") lookAtUntimely(turn, job);
    else withoutGateway(turn, job);
  }
  const nextAt = desk.lanes.nextAt(gateways);
  if (chosen.length > 0 || nextAt !== undefined)
    effects.push({ type: "took room", some: chosen.length > 0, nextAt });
  return chosen;
}

function lookAtUntimely(
  turn: Turn,
  { messageId, mark, task: { stream, moment, state } }: Waiting,
): void {
  lookAgain(turn, lookAt(turn, { messageId, stream, mark, waited: state.revision, ...moment }));
}

function withoutGateway(turn: Turn, job: Waiting): void {
  const about = { message: job.messageId, channel: job.task.state.request.channel };
  turn.effects.push({ type: "warn", about, what: "no gateway for the channel" });
  putOff(turn, job, turn.at.now + NO_GATEWAY_MS);
}

function begin(turn: Turn, chosen: readonly Chosen[]): void {
  const { desk, at, effects } = turn;
  const parts: WritePart[] = [];
  const jobs = chosen.length > 0 ? announce(turn, chosen, parts) : [];
  const decided = announceAppends(turn, parts);
  parts.push(...desk.intents.take());
  const rows = desk.rows.take(desk.owner, at.now);
  parts.push(...rows.parts);
  let earliest = Number.POSITIVE_INFINITY;
  for (const { dueAt, partner } of rows.timers)
    earliest = Math.min(earliest, dueAt - at.clock.aheadMs(partner));
  desk.committing = {
    position: desk.floor.position(),
    jobs,
    decided,
    earliest,
    last: desk.life === "finished",
  };
  effects.push({ type: "commit", commit: desk.committing, parts });
}

/** From here on the intent stands for the jobs. */
function announce(turn: Turn, chosen: readonly Chosen[], parts: WritePart[]): readonly Admitted[] {
  const { desk, at } = turn;
  const calls = chosen.map(({ job: { messageId, task }, connection }): IntendedCall => [
    messageId,
    task.attempt,
    task.call,
    connection.name,
  ]);
  const { group, part } = desk.intents.announce(calls);
  parts.push(part);
  return chosen.map(({ job: { messageId, task, mark }, connection, choice, ticket }) => {
    if (mark === undefined) desk.rows.replaced(messageId);
    else release(turn, mark);
    const sending = attemptOf(task, connection.name, at.links, at.now);
    const given = { connection, choice, ticket, sending, group };
    return desk.jobs.put({ phase: "admitted", messageId, task, given });
  });
}

/** It is durable. */
export function committed(turn: Turn, commit: Committing): void {
  const { desk, effects } = turn;
  if (desk.committing !== commit || desk.life === "closed") return;
  desk.committing = undefined;
  desk.position = commit.position;
  desk.rows.written();
  if (commit.earliest < Number.POSITIVE_INFINITY)
    effects.push({ type: "wake", for: "rows", at: commit.earliest });
  if (desk.catchUp.waits) desk.asked = true;
  // Announced while it stopped: nobody would wait for these calls any more.
  if (desk.life === "open") announced(turn, commit.jobs);
  else for (const job of commit.jobs) giveBack(turn, job);
  appendsAnnounced(turn, commit.decided);
  if (commit.last) effects.push({ type: "over", what: "commits" });
}
