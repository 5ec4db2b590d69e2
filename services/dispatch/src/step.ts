import { answered, notMade, placed } from "./calls.ts";
import { commitWhatIsUrgent, committed, lingered } from "./commit.ts";
import type { At, Desk, Effect, Input, Reader, Turn, WholeInput } from "./desk.ts";
import { rowsRead, rowsTaken, takeWhatIsDue } from "./due.ts";
import { batchRead, intakeRead, takeUp } from "./intake.ts";
import { claim, halt, putOff } from "./leave.ts";
import { asked, cleared, lookWritten, receiptsRead, streamsRead, tellOfWait } from "./looks.ts";
import { abandon, giveBack, outcomeWritten, overtaken, throttledUntil } from "./outcomes.ts";

/** What waits longer for a gateway becomes a row, so that the checkpoint can move on and memory is free for others. */
const LONGEST_WAIT_MS = 1_000;
/** It is looked at again after so long at most: another gateway may have it by then. */
const LONGEST_LOOK_MS = 30_000;
/** And after so long where none but those that their providers throttle may have it: many may wait for them, and for an hour. */
const LONGEST_REST_LOOK_MS = 120_000;
/** What waits at least so long for a provider that takes no more is told of it. */
const LEAST_TOLD_MS = 10_000;

/**
 * Takes what has come up, changes the desk, and says what is to be done. It does nothing itself: it asks no clock, no log and no database, so the same desk, inputs and moment give the
 * same effects. Inputs may come in any order, more than once, and late.
 *
 * A message is in one of four places, and in one only:
 *   in the feed, above the checkpoint    nothing was done for it yet
 *   in memory (`jobs`)                   its mark holds the checkpoint, or its row is taken under this owner's epoch
 *   announced (an intent)                its call may be made, is being made, or its outcome is on its way into the log
 *   in a row (`timers`)                  it waits for a time: its schedule, a retry, evidence, a gateway
 * Every move from one to the next is one commit, so a crash finds it in the one or in the other.
 */
export function step(desk: Desk, inputs: readonly Input[], at: At): readonly Effect[] {
  const turn: Turn = { desk, at, effects: [] };
  for (const input of inputs)
    try {
      turn.desk.pressing ||= !isOfCall(input);
      take(turn, input);
    } catch (error) {
      // What was half done may not be stored.
      turn.desk.failed = true;
      turn.effects.push({ type: "break", error, commit: true });
    }
  return turn.effects;
}

const isOfCall = ({ type }: Input): boolean =>
  type === "answered" || type === "not made" || type === "place" || type === "pause";

function take(turn: Turn, input: Input): void {
  switch (input.type) {
    case "batch":
      return batchRead(turn, input.events, input.position);
    case "streams":
      return streamsRead(turn, input.jobs, input.streams);
    case "all read":
      return allRead(turn, input.for);
    case "cleared":
      return cleared(turn, input.of, input.verdict);
    case "asked":
      return asked(turn, input.of, input.answer);
    case "receipts":
      return receiptsRead(turn, input.of, input.receipts);
    case "unclear": {
      const job = claim(turn, input.job);
      return job === undefined ? undefined : halt(turn, job, input.error);
    }
    case "answered":
      return answered(turn, input.job, input.result, input.durationMs);
    case "not made":
      return notMade(turn, input.job);
    case "written":
      return input.entry.type === "outcome"
        ? outcomeWritten(turn, input.entry, input.outcome)
        : lookWritten(turn, input.entry, input.outcome);
    case "overtaken":
      return overtaken(turn, input.entry, input.stored);
    default:
      return takeOfWhole(turn, input);
  }
}

/** What concerns no message of its own. */
function takeOfWhole(turn: Turn, input: WholeInput): void {
  const { desk } = turn;
  switch (input.type) {
    case "committed":
      return committed(turn, input.commit);
    case "taken":
      return rowsTaken(turn, input);
    case "rows due":
      desk.asked = true;
      return;
    case "place":
      return placed(turn, input);
    case "gateway changed":
      // What waits is admitted in the pause that follows.
      return;
    case "lingered":
      return lingered(turn);
    case "partners active":
      if (desk.life === "open") turn.effects.push({ type: "wake held" });
      return;
    case "look over":
      return lookOver(turn);
    case "pause":
      takeUp(turn);
      takeWhatIsDue(turn);
      if (desk.pressing) commitWhatIsUrgent(turn);
      desk.pressing = false;
      return;
    case "stop":
      return stop(turn);
    case "broken":
      if (input.commit) {
        desk.failed = true;
        // It is lost, and nobody hears of it again: who stops need not wait for it.
        desk.committing = undefined;
      }
      if (desk.life === "open") desk.life = "closing";
      return;
    case "finish":
      if (desk.life === "closing") desk.life = "finishing";
      return;
    case "close":
      return close(turn);
    default:
      return input satisfies never;
  }
}

function allRead(turn: Turn, reader: Reader): void {
  if (reader === "feed") intakeRead(turn);
  else if (reader === "rows") rowsRead(turn);
}

function lookOver(turn: Turn): void {
  const { desk, at } = turn;
  if (desk.life !== "open") return;
  for (const spilled of desk.lanes.spill(at.now - LONGEST_WAIT_MS, at.gateways, at.now)) {
    const { job, forMs, rest } = spilled;
    const told =
      rest !== undefined && forMs >= LEAST_TOLD_MS
        ? throttledUntil(turn, job.task, rest)
        : undefined;
    if (told !== undefined) tellOfWait(turn, job, told);
    else {
      const longestMs = rest === undefined ? LONGEST_LOOK_MS : LONGEST_REST_LOOK_MS;
      putOff(turn, job, at.now + Math.min(longestMs, Math.max(250, forMs)));
    }
  }
}

/** Nothing new begins. Announced jobs that are not called yet become rows again; what is called runs to its end. */
function stop(turn: Turn): void {
  const { desk } = turn;
  if (desk.life === "open") desk.life = "closing";
  for (const job of desk.lanes.withdraw()) giveBack(turn, job);
}

/** What the gateways have of this desk is given back to them: others go on using them. */
function close(turn: Turn): void {
  const { desk } = turn;
  for (const job of desk.life === "closed" ? [] : desk.jobs)
    if (job.phase !== "looked_at" && job.phase !== "waiting" && job.phase !== "stranded")
      abandon(turn, job.given);
  desk.life = "closed";
  turn.effects.push({ type: "over", what: "desk" });
}
