import type { WritePart } from "@heliograph/runtime";
import type { Group, Job } from "./job.ts";
import { deleteIntents, insertIntent, rewriteIntents, type Owner } from "./store.ts";

/** Which announced calls are open, in the form their rows have to take with the next commit. */
export type Intents = {
  /** The row that announces these calls. */
  announce(jobs: readonly Job[]): WritePart;
  /** The call's outcome is in the log: its row may name it until the whole group is done, because a recovery finds the outcome. */
  recorded(job: Job): void;
  /**
   * No call was made, and no event says so: the row stops naming it with the commit that gives the message back to a timer. Otherwise a recovery would
   * take it for a call that may have been made, or take it instead of a later one that was.
   */
  notMade(job: Job): void;
  /** Whether rows have to be written or removed. */
  readonly waiting: boolean;
  /** What the next commit writes; it is taken out of here. */
  take(): readonly WritePart[];
};

export function createIntents(epoch: number, owner: Owner): Intents {
  const prefix = owner === null ? "" : `${owner}/`;
  let groups = 0;
  let done: string[] = [];
  let rewritten = new Set<Group>();

  function close(job: Job): Group {
    const group = job.group!;
    group.calls.delete(job.messageId);
    if (group.calls.size === 0) {
      // Parts of one statement may not touch the same row.
      rewritten.delete(group);
      done.push(group.id);
    }
    return group;
  }

  return {
    announce(jobs) {
      const group: Group = {
        id: `${prefix}${epoch}.${++groups}`,
        calls: new Map(
          jobs.map((job) => [
            job.messageId,
            [job.messageId, job.attempt, job.call, job.connection!.name],
          ]),
        ),
      };
      for (const job of jobs) job.group = group;
      return insertIntent(group.id, epoch, [...group.calls.values()], owner);
    },
    recorded: (job) => void close(job),
    notMade(job) {
      const group = close(job);
      if (group.calls.size > 0) rewritten.add(group);
    },
    get waiting() {
      return done.length > 0 || rewritten.size > 0;
    },
    take() {
      const parts: WritePart[] = [];
      if (done.length > 0) parts.push(deleteIntents(done));
      if (rewritten.size > 0)
        parts.push(
          rewriteIntents(
            [...rewritten].map(({ id, calls }) => ({ id, calls: [...calls.values()] })),
          ),
        );
      done = [];
      rewritten = new Set();
      return parts;
    },
  };
}
