import { streamOf } from "@heliograph/contracts";
import type { PartnerClock } from "@heliograph/runtime";
import { roomOf, type Turn, type WholeInput } from "./desk.ts";
import type { Look } from "./job.ts";
import type { TimerKind } from "./decide.ts";
import { lookAt } from "./leave.ts";
import type { DueTimer } from "./store.ts";

/** Due timers taken at once. */
const MOST_TAKEN = 500;
/** How soon to look again when memory is full. */
const FULL_MS = 250;
/** How soon to look again at a message that is at work for another reason. */
const BUSY_MS = 5_000;
/** Part of memory that rows leave free: they are mostly of those who have much, and it is for what is new. */
const FREE_OF_ROWS = 1 / 4;

const inRealTime: ReadonlySet<TimerKind> = new Set(["waiting", "held", "look"]);
const lookOf = (
  { messageId, partner, dueAt, kind, revision }: DueTimer,
  clock: PartnerClock,
): Look => ({
  messageId,
  stream: streamOf("message", messageId),
  mark: undefined,
  waited: revision,
  partner,
  // A gateway, memory and the operator are waited for in real time.
  at: inRealTime.has(kind) ? undefined : clock.instant(partner, dueAt),
});

const isGone =
  ({ desk: { jobs, rows } }: Turn) =>
  (messageId: string): boolean =>
    !jobs.has(messageId) && !rows.isSetting(messageId);

/** Takes due rows in batches, one after the other, as long as somebody asked for more. */
export function takeWhatIsDue(turn: Turn): void {
  const { desk, at, effects } = turn;
  if (!desk.asked || desk.taking !== undefined || desk.life !== "open") return;
  desk.asked = false;
  const room = roomOf(desk) - Math.floor(desk.mostJobs * FREE_OF_ROWS);
  const limit = Math.min(MOST_TAKEN, room);
  if (limit <= 0) return void effects.push({ type: "wake", for: "rows", at: at.now + FULL_MS });
  const of = { rows: undefined, full: false };
  desk.taking = of;
  effects.push({ type: "take rows", of, limit, ...desk.catchUp.next(at.clock, isGone(turn)) });
}

/** These are this owner's now. */
export function rowsTaken(
  turn: Turn,
  { of, rows, limit, next }: Extract<WholeInput, { type: "taken" }>,
): void {
  const { desk, at, effects } = turn;
  if (desk.taking !== of) return;
  desk.taking = { rows, full: rows.length >= limit };
  if (next < Number.POSITIVE_INFINITY) effects.push({ type: "wake", for: "rows", at: next });
  const jobs = [];
  for (const row of rows) {
    const { messageId, partner } = row;
    if (!desk.jobs.has(messageId)) jobs.push(lookAt(turn, lookOf(row, at.clock)));
    // A message that is at work already is looked at once more later: its row must not be forgotten.
    else {
      const dueAt = at.clock.now(partner) + BUSY_MS;
      desk.rows.set(messageId, { dueAt, kind: "look", partner, revision: -1 });
    }
  }
  if (jobs.length > 0) effects.push({ type: "read", jobs, for: "rows" });
  else rowsRead(turn);
}

/** Their streams are read. */
export function rowsRead(turn: Turn): void {
  const { desk, at } = turn;
  if (desk.taking?.rows === undefined) return;
  const { rows, full } = desk.taking;
  desk.taking = undefined;
  if (desk.catchUp.take(rows, at.clock, isGone(turn)) || full) desk.asked = true;
}
