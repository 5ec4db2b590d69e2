import type { Attempt } from "../types.ts";
import { submitsOf, type Submit } from "./submit.ts";
import type { SmppSettings } from "./settings.ts";

/** Messages of which a part was taken and not all, or of which that is not known; the oldest is forgotten. */
const maxUnfinished = 10_000;

/** One submit of a message, over all tries. */
export type Part = {
  readonly submit: Submit;
  /** The centre's id of it: it is taken, and not sent again. */
  id?: string;
};

/** How far a message has come at this gateway. */
export type Progress = {
  readonly attemptId: string;
  readonly messageId: string;
  readonly partner: string;
  readonly parts: readonly Part[];
  /** The caller was told that it is not known: an answer that comes after all is evidence. */
  uncertain: boolean;
};

export type Unfinished = {
  /** Where a message stands: of one that is tried again the parts that were taken are taken. */
  of(attempt: Attempt): Progress;
  keep(progress: Progress): void;
  drop(progress: Progress): void;
};

/** What is known of messages that are not through. In memory alone: after a restart all of a message is sent again. */
export function createUnfinished(settings: SmppSettings): Unfinished {
  const known = new Map<string, Progress>();
  return {
    of(attempt) {
      const { attemptId, messageId, partner } = attempt;
      const before = known.get(messageId)?.parts;
      const parts = submitsOf(attempt, settings).map((submit, index): Part => {
        const id = before?.[index]?.id;
        return id === undefined ? { submit } : { submit, id };
      });
      return { attemptId, messageId, partner, parts, uncertain: false };
    },
    keep(progress) {
      known.delete(progress.messageId);
      known.set(progress.messageId, progress);
      if (known.size > maxUnfinished) known.delete(known.keys().next().value!);
    },
    drop: ({ messageId }) => void known.delete(messageId),
  };
}
