import { lazily, type Checkpoint } from "@heliograph/runtime";

/** Moves a checkpoint at most so often under load: its durable commit, 1 to 2 ms on a disk, would otherwise stand between two batches. */
const checkpointEveryMs = 50;

/**
 * For a reactor that needs its checkpoint only as a place to start from. After a crash up to 500 events, or 50 ms of more, are looked at again.
 * A commit that fails, as when another owner took over, is given to `fail`.
 */
export function lazyCheckpoint(
  checkpoint: Checkpoint,
  fail: (error: unknown) => void,
): { reached(position: bigint): void; flush(): Promise<void> } {
  let reached = checkpoint.position;
  const pace = lazily(checkpointEveryMs, flush, fail);

  async function flush(): Promise<void> {
    pace.cancel();
    if (reached > checkpoint.position) await checkpoint.commit(reached);
  }

  return {
    reached(position) {
      reached = position;
      checkpoint.dealt(position);
      pace.schedule(position - checkpoint.position);
    },
    flush,
  };
}
