/** A successor that starts from the checkpoint has so many events to look at again; from here on it is written sooner. */
const manyEvents = 500n;
const quietMs = 1_000;

/**
 * Paces a checkpoint that is only a place to start from, for what it passes is done and doing it again is a duplicate: each is a durable commit, so while little happens there is one a second.
 * Above 500 events there is one in `busyMs`.
 */
export function lazily(
  busyMs: number,
  take: () => Promise<void>,
  failed: (error: unknown) => void,
): {
  /** So many positions wait to be passed. */
  schedule(behind: bigint): void;
  cancel(): void;
} {
  let timer: NodeJS.Timeout | undefined;
  let at = Infinity;
  const cancel = (): void => {
    clearTimeout(timer);
    timer = undefined;
    at = Infinity;
  };
  return {
    schedule(behind) {
      const due = performance.now() + (behind > manyEvents ? busyMs : quietMs);
      if (due >= at) return;
      cancel();
      at = due;
      timer = setTimeout(() => {
        cancel();
        take().catch(failed);
      }, due - performance.now());
    },
    cancel,
  };
}
