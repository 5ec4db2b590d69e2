import type { PartnerClock } from "@heliograph/runtime";
import type { Committer } from "./committer.ts";
import type { Floor, Mark } from "./floor.ts";

/** Messages at work in this process: a second reason to look at one waits until the first is done with. */
export type Active = {
  has(messageId: string): boolean;
  add(messageId: string): void;
  /** The work is done; a message that was asked for again meanwhile gets a timer that is due now. */
  remove(messageId: string): void;
  /** Look at it once more afterwards; the mark holds the checkpoint until a timer stands for that. */
  again(messageId: string, mark: Mark, partner: string | undefined): void;
  readonly size: number;
};

export function createActive(
  committer: () => Committer,
  floor: Floor,
  clock: Pick<PartnerClock, "now">,
  left: () => void,
): Active {
  const ids = new Set<string>();
  const wanted = new Map<string, { readonly mark: Mark; readonly partner: string | undefined }>();
  return {
    has: (messageId) => ids.has(messageId),
    add: (messageId) => void ids.add(messageId),
    remove(messageId) {
      ids.delete(messageId);
      left();
      if (wanted.size === 0) return;
      const known = wanted.get(messageId);
      if (known === undefined) return;
      const { mark, partner } = known;
      wanted.delete(messageId);
      committer().timer(messageId, { dueAt: clock.now(partner), kind: "retry", partner });
      floor.release(mark);
    },
    again(messageId, mark, partner) {
      const known = wanted.get(messageId);
      if (known !== undefined) floor.release(known.mark);
      wanted.set(messageId, { mark: floor.hold(mark), partner });
    },
    get size() {
      return ids.size;
    },
  };
}
