import type { Committer } from "./committer.ts";
import type { Floor, Mark } from "./floor.ts";

/** Messages at work in this process: a second reason to look at one waits until the first is done with. */
export type Active = {
  has(messageId: string): boolean;
  add(messageId: string): void;
  /** The work is done; a message that was asked for again meanwhile gets a timer that is due now. */
  remove(messageId: string): void;
  /** Look at it once more afterwards; the mark holds the checkpoint until a timer stands for that. */
  again(messageId: string, mark: Mark): void;
  readonly size: number;
};

export function createActive(committer: () => Committer, floor: Floor, now: () => number): Active {
  const ids = new Set<string>();
  const wanted = new Map<string, Mark>();
  return {
    has: (messageId) => ids.has(messageId),
    add: (messageId) => void ids.add(messageId),
    remove(messageId) {
      ids.delete(messageId);
      if (wanted.size === 0) return;
      const mark = wanted.get(messageId);
      if (mark === undefined) return;
      wanted.delete(messageId);
      committer().timer(messageId, { dueAt: now(), kind: "retry" });
      floor.release(mark);
    },
    again(messageId, mark) {
      const known = wanted.get(messageId);
      if (known !== undefined) floor.release(known);
      wanted.set(messageId, floor.hold(mark));
    },
    get size() {
      return ids.size;
    },
  };
}
