import { setMaxListeners } from "node:events";

/** Calls that begin within this time share one signal and one timer: a timeout is exact to this. */
const BUCKET_MS = 100;

/** Abort signals for calls, without a timer for each. */
export type Deadlines = { signal(timeoutMs: number, now: number): AbortSignal; close(): void };

export function createDeadlines(): Deadlines {
  const newest = new Map<number, { readonly signal: AbortSignal; readonly until: number }>();
  const timers = new Set<NodeJS.Timeout>();
  return {
    signal(timeoutMs, now) {
      const bucket = newest.get(timeoutMs);
      if (bucket !== undefined && now < bucket.until && now >= bucket.until - BUCKET_MS)
        return bucket.signal;
      const controller = new AbortController();
      setMaxListeners(0, controller.signal);
      newest.set(timeoutMs, { signal: controller.signal, until: now + BUCKET_MS });
      const timer = setTimeout(() => {
        timers.delete(timer);
        controller.abort(new Error("the provider did not answer in time"));
      }, timeoutMs + BUCKET_MS).unref();
      timers.add(timer);
      return controller.signal;
    },
    close() {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      newest.clear();
    },
  };
}
