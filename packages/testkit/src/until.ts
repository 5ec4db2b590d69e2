/** Between two looks: short at first because most conditions hold at once, then sparing. */
const [firstPauseMs, longestPauseMs] = [5, 50];

/**
 * Waits until the condition gives something other than undefined, null or false, and returns it. A condition that
 * throws is asked again; what it threw last becomes the cause of the timeout.
 *
 * @throws Error naming `what` when the deadline (default 10 s) passes.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 10_000, what }: { timeoutMs?: number; what?: string } = {},
): Promise<Exclude<NonNullable<T>, false>> {
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      const value = await condition();
      if (value !== undefined && value !== null && value !== false) {
        return value as Exclude<NonNullable<T>, false>;
      }
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) {
      const last = cause instanceof Error ? ` (last: ${cause.message})` : "";
      const claim = what ?? condition.toString();
      throw new Error(`not within ${timeoutMs} ms: ${claim}${last}`, { cause });
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
