import { failpoint } from "@heliograph/contracts";
import { createAlarm, oneAtATime, type ReactorTools } from "@heliograph/runtime";
import { type Snooze, deleteSnoozes, dueSnoozes, insertSnoozes, nextSnooze } from "./store.ts";

/** Due ones that are ended at once. */
const mostTaken = 100;

export type Snoozes = {
  /** Moves the checkpoint with the snoozes that began before it. */
  commit(position: bigint, begun: readonly Snooze[]): Promise<void>;
  /** Resolves when none is being ended any more. */
  close(): Promise<void>;
};

/** Rows of what rests, and one alarm set to the earliest of them. A row is deleted after its end is in the log, so a crash between them repeats an append that is there. */
export async function openSnoozes(
  { context, schema, checkpoint, fail }: ReactorTools,
  wake: (snooze: Snooze) => Promise<void>,
): Promise<Snoozes> {
  const { pool, clock } = context;
  const turn = oneAtATime();
  let closed = false;
  const alarm = createAlarm(() => void turn(ring).catch(fail));

  async function ring(): Promise<void> {
    if (closed) return;
    const due = await dueSnoozes(pool, schema, clock, mostTaken);
    for (const snooze of due) await wake(snooze);
    if (due.length > 0) {
      await failpoint("conversations.after_wake");
      await checkpoint.commit(
        checkpoint.position,
        deleteSnoozes(due.map(({ eventId }) => eventId)),
      );
    }
    const next = due.length === mostTaken ? Date.now() : await nextSnooze(pool, schema, clock);
    if (next !== undefined && !closed) alarm.at(next);
  }

  const next = await nextSnooze(pool, schema, clock);
  if (next !== undefined) alarm.at(next);
  const forgetClock = clock.onChange(() => alarm.at(Date.now()));
  return {
    async commit(position, begun) {
      await checkpoint.commit(position, insertSnoozes(begun));
      for (const { dueAt, partner } of begun) alarm.at(dueAt - clock.aheadMs(partner));
    },
    async close() {
      closed = true;
      forgetClock();
      alarm.cancel();
      await turn(async () => alarm.cancel());
    },
  };
}
