import type { Checkpoint } from "@heliograph/runtime";

/** Moves a checkpoint at most so often: its durable commit, 1 to 2 ms on a disk, would otherwise stand between two batches. */
const checkpointEveryMs = 50;

/**
 * For a reactor that needs its checkpoint only as a place to start from. After a crash up to 50 ms of events are looked at again.
 * A commit that fails, as when another owner took over, is given to `fail`.
 */
export function lazyCheckpoint(
  checkpoint: Checkpoint,
  fail: (error: unknown) => void,
): { reached(position: bigint): void; flush(): Promise<void> } {
  let reached = checkpoint.position;
  let timer: NodeJS.Timeout | undefined;

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    if (reached > checkpoint.position) await checkpoint.commit(reached);
  }

  return {
    reached(position) {
      reached = position;
      timer ??= setTimeout(() => void flush().catch(fail), checkpointEveryMs);
    },
    flush,
  };
}
