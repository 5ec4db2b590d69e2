/** Something that is looked for again and again, by one look at a time. */
export type Looking = {
  /** Looks now, or once more behind the look that is under way. */
  wake(): void;
  /** Ends the look that is under way by its signal, and waits for it. */
  close(): Promise<void>;
};

/** Looks at once, when woken and every `everyMs` milliseconds. A look that throws is told to `failed`, and the next one comes in its time. */
export function keepLooking(
  look: (signal: AbortSignal) => Promise<void>,
  everyMs: number,
  failed: (error: unknown) => void,
): Looking {
  const closing = new AbortController();
  const { signal } = closing;
  let looking: Promise<void> | undefined;
  let again = false;
  const wake = (): void => {
    again = true;
    looking ??= (async () => {
      while (again && !signal.aborted) {
        again = false;
        await look(signal).catch(failed);
      }
    })().finally(() => (looking = undefined));
  };
  const timer = setInterval(wake, everyMs);
  timer.unref();
  wake();
  return {
    wake,
    async close(): Promise<void> {
      closing.abort();
      clearInterval(timer);
      await looking;
    },
  };
}
