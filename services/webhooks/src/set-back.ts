import type { Checkpoint, WritePart } from "@heliograph/runtime";
import type { Store } from "./store.ts";
import {
  type Ahead,
  forgetSetBack,
  noteSetBack,
  type SetBack,
  setBackPending,
} from "./tables/set-at.ts";

/** Endpoints that are looked at by one read. */
const endpointsAtOnce = 500;

/** Of one shard, or of all. */
export type SetBacks = ReturnType<typeof openSetBacks>;

/**
 * Tells what waits in the table that the clock was set back, a range of what is due after another: an endpoint may have a million that wait, and one statement over all of them would hold what
 * others write for as long as that takes. What is known of it stays on record until all is told, so that a successor goes on.
 */
export function openSetBacks(
  checkpoint: Checkpoint,
  store: Pick<Store, "unaware" | "setBacks">,
  shard = -1,
) {
  const commit = (part: WritePart): Promise<void> => checkpoint.commit(checkpoint.position, [part]);

  /** The first due first: what is told is due before the range that it was found in, and so is not found again. */
  async function tell(endpointIds: readonly string[], back: Ahead): Promise<void> {
    for (let at = 0; at < endpointIds.length; at += endpointsAtOnce) {
      const some = endpointIds.slice(at, at + endpointsAtOnce);
      const from = new Map(some.map((id) => [id, back.now + 1]));
      for (;;) {
        const found = await store.unaware(from, back);
        if (found.length === 0) break;
        const ids = found.map(({ id }) => id);
        await commit(setBackPending(ids, back));
        for (const { endpointId, nextAttemptAt } of found)
          from.set(endpointId, Math.max(from.get(endpointId)!, nextAttemptAt));
      }
    }
  }

  return {
    async happened(endpointIds: readonly string[], back: SetBack): Promise<void> {
      await commit(noteSetBack(shard, back));
      await tell(endpointIds, back);
      await commit(forgetSetBack(shard, back));
    },
    /** At a start: what a predecessor was not through with, and what was set meanwhile. */
    async goOn(endpointIds: readonly string[], now: number): Promise<void> {
      for (const back of await store.setBacks(shard)) {
        await tell(endpointIds, back);
        await commit(forgetSetBack(shard, back));
      }
      await tell(endpointIds, { now });
    },
  };
}
