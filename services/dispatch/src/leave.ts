import { isQuiet } from "@heliograph/domain";
import type { Turn } from "./desk.ts";
import type { Mark } from "./floor.ts";
import type { Announced, Job, Look, LookedAt, Task, Waiting } from "./job.ts";
import type { TimerKind } from "./decide.ts";
import { momentMs } from "./moment.ts";
import type { Timer } from "./store.ts";

/** The job, if it is still what it was when something was asked about it, as another one: each answer counts once. */
export function claim<Kind extends Job>({ desk: { jobs } }: Turn, job: Kind): Kind | undefined {
  return jobs.isAs(job) ? jobs.put({ ...job }) : undefined;
}

/** The work is done; a message that was asked for again meanwhile gets a timer that is due now. */
export function leaveMemory({ desk, at }: Turn, job: Job): void {
  const wanted = desk.jobs.remove(job);
  // A partner whose clock went over time at once may have its next instant.
  if (desk.catchUp.waits) desk.asked = true;
  if (wanted === undefined) return;
  const { partner, mark } = wanted;
  desk.rows.set(job.messageId, {
    dueAt: at.clock.now(partner),
    kind: "look",
    partner,
    revision: -1,
  });
  desk.floor.release(mark);
}

export function release({ desk }: Turn, mark: Mark | undefined): void {
  if (mark !== undefined) desk.floor.release(mark);
}

/** Nothing is to be done for the message. */
export function leave(turn: Turn, job: LookedAt): void {
  turn.desk.rows.remove(job.messageId);
  leaveMemory(turn, job);
  release(turn, job.look.mark);
}

/** Its row stands for it until `at`, by the clock of its partner. `revision`: of its stream, now that the wait begins. */
export function wait(
  turn: Turn,
  job: LookedAt,
  at: number,
  kind: TimerKind,
  revision: number,
): void {
  if (!Number.isFinite(at)) throw new Error("it waits for a time that is none");
  const { partner, mark } = job.look;
  turn.desk.rows.set(job.messageId, { dueAt: at, kind, partner, revision });
  leaveMemory(turn, job);
  release(turn, mark);
}

/** A message whose events cannot be understood is looked at again after this long: somebody may have mended them, or a version come that knows them. */
const HALTED_MS = 600_000;

/** Damaged events of one message stop that message, and nothing else. */
export function halt(turn: Turn, job: LookedAt, error: unknown): void {
  const until = turn.at.clock.now(job.look.partner) + HALTED_MS;
  const about = { message: job.messageId, until: new Date(until).toISOString(), err: error };
  const what = "the events of a message cannot be understood: it stands still";
  turn.effects.push({ type: "halted", about, what });
  wait(turn, job, until, "look", -1);
}
export function orHalt(turn: Turn, job: LookedAt, work: () => void): void {
  try {
    work();
  } catch (error) {
    halt(turn, job, error);
  }
}

/** Reads its stream and looks at it once more. */
export function lookAgain({ effects }: Turn, job: LookedAt): void {
  effects.push({ type: "read", jobs: [job], for: "message" });
}
/** A message comes to work. */
export const lookAt = ({ desk: { jobs } }: Turn, look: Look): LookedAt =>
  jobs.put({ phase: "looked_at", messageId: look.messageId, look });

/** A row that is looked at again at `time` of the real clock, but not later than the validity ends: then the message expires. */
export function rowOf({ at: { clock } }: Turn, task: Task, time: number): Timer {
  const { partner } = task.moment;
  const dueAt = Math.min(time + clock.aheadMs(partner), task.expiresAt);
  const { revision } = task.state;
  return { dueAt: Math.max(clock.now(partner), dueAt), kind: "waiting", partner, revision };
}

/** Its validity has ended, or the time in which it may be sent again; or its recipient's quiet hours have begun while it waited. */
export function isUntimely(
  { clock }: Turn["at"],
  { expiresAt, moment, state: { request } }: Task,
): boolean {
  const now = momentMs(clock, moment);
  const { quiet_hours: quiet } = request;
  return expiresAt <= now || (quiet !== undefined && isQuiet(quiet, now));
}

/** Gives a job back to a row: it is looked at again at `time`. */
export function putOff(turn: Turn, job: Waiting | Announced, time: number): void {
  turn.desk.rows.set(job.messageId, rowOf(turn, job.task, time));
  if (job.phase === "waiting") release(turn, job.mark);
  leaveMemory(turn, job);
}
