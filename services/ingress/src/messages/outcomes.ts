import type { RecordedEvent } from "@heliograph/log";

/** What ends `Prefer: wait`: the provider took the message, or it never will. */
export const outcomeTypes = [
  "MessageSent",
  "MessageFailed",
  "MessageRejected",
  "MessageExpired",
  "MessageCanceled",
] as const;

/** Wakes callers that wait for the outcome of a message. */
export class Outcomes {
  readonly #waiting = new Map<string, Set<() => void>>();

  seen(event: RecordedEvent<(typeof outcomeTypes)[number]>): void {
    if (this.#waiting.size === 0) return;
    for (const wake of this.#waiting.get(event.data.message_id) ?? []) wake();
  }

  /**
   * Registers at once, so that an outcome between the append and the wait is not missed. `wait` gives true when there was one within
   * `timeoutMs`; `cancel` must be called when it is not waited for.
   */
  expect(messageId: string): {
    wait(timeoutMs: number, signal: AbortSignal): Promise<boolean>;
    cancel(): void;
  } {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const wake = (): void => resolve(true);
    // A repetition of the same call waits beside the first, and must not take its place.
    const waiting = this.#waiting.get(messageId) ?? new Set();
    this.#waiting.set(messageId, waiting.add(wake));
    const cancel = (): void => {
      waiting.delete(wake);
      if (waiting.size === 0 && this.#waiting.get(messageId) === waiting)
        this.#waiting.delete(messageId);
    };
    return {
      cancel,
      async wait(timeoutMs, signal) {
        const giveUp = (): void => resolve(false);
        const timer = setTimeout(giveUp, timeoutMs);
        signal.addEventListener("abort", giveUp, { once: true });
        if (signal.aborted) giveUp();
        try {
          return await promise;
        } finally {
          clearTimeout(timer);
          signal.removeEventListener("abort", giveUp);
          cancel();
        }
      },
    };
  }
}
