import { LogUnavailable } from "@heliograph/log";
import { Fenced } from "./tables/parts.ts";

const networkCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOENT",
  "EAI_AGAIN",
  "ENOTFOUND",
]);

/**
 * Whether the machinery, not the event, is at fault: connection trouble (SQLSTATE class 08, 57), lack of resources (53, 58), conflicts that a retry
 * resolves (40, 55). Everything else is laid to the event being handled.
 */
export function isMachinery(error: unknown): boolean {
  if (error instanceof Fenced || error instanceof LogUnavailable) return true;
  if (!(error instanceof Error)) return false;
  // What the Kafka client says is about brokers and connections, never about an event.
  if (error.name.startsWith("KafkaJS")) return true;
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  if (typeof code === "string") {
    // ENOENT of a connection is a socket that is not there yet; of a file, a setting that names none.
    if (networkCodes.has(code)) return code !== "ENOENT" || syscall === "connect";
    if (/^[0-9A-Z]{5}$/.test(code))
      return (
        ["08", "40", "53", "55", "57", "58"].includes(code.slice(0, 2)) ||
        code === "3F000" ||
        code === "42P01"
      );
  }
  return (
    isUnanswered(error) ||
    /connection terminated|timeout exceeded|timeout expired|client was closed|not queryable|pool after calling end/i.test(
      error.message,
    )
  );
}

/** Whether the database did not answer a statement in time: its connection is of no use any more, for the answer may still come. */
export const isUnanswered = (error: unknown): boolean =>
  error instanceof Error && error.message === "Query read timeout";

export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** Resolves after the time or when the signal ends, whichever is first. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
}

/** At most a quarter of one core, and of what a database can read for one caller. */
const restFactor = 3;
const longestRestMs = 5_000;

/** How long those rest who look through much, piece by piece, beside others who wait: three times as long as a piece took. */
export const restMs = (workedMs: number): number => Math.min(workedMs * restFactor, longestRestMs);

/** Runs pieces of work one after another, in the order of the calls. A failure of one does not stop the next. */
export function oneAtATime(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work);
    last = next.catch(() => undefined);
    return next;
  };
}

/**
 * Batches without events only move the position. They are taken at most every `everyMs`, the last one always, so that a consumer that has seen
 * everything also shows it. All that are taken so often are taken at the same moments.
 */
export function latestAfter(
  everyMs: number,
  take: () => Promise<void>,
  failed: (error: unknown) => void,
): { schedule(): void; now(): void; cancel(): void } {
  let timer: NodeJS.Timeout | undefined;
  const run = (): void => {
    timer = undefined;
    take().catch(failed);
  };
  const cancel = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  return {
    schedule() {
      timer ??= setTimeout(run, everyMs - (performance.now() % everyMs));
    },
    /** What is scheduled is taken at once. */
    now() {
      if (timer === undefined) return;
      cancel();
      run();
    },
    cancel,
  };
}

/** Waits for the end of work, good or bad, but not longer, and leaves no timer behind. */
export async function atMost(work: Promise<unknown>, ms: number): Promise<void> {
  const ended = new AbortController();
  await Promise.race([work.catch(() => undefined), pause(ms, ended.signal)]);
  ended.abort();
}
