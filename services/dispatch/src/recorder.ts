import { failpoint } from "@heliograph/contracts";
import { LogUnavailable, type Append, type EventLog, type Outcome } from "@heliograph/log";
import { pause } from "@heliograph/runtime";

/** An append and what follows from its outcome. */
export type Entry = {
  readonly append: Append;
  readonly recorded: (revision: number) => void;
  /** The stream has moved on. */
  readonly conflicted: () => void;
  /** The log will never take it. */
  readonly refused: (reason: string) => void;
};

/** Most appends in one call of the log: one flush takes about 500 events. */
const MOST_APPENDS = 500;

export type Recorder = { push(entry: Entry): void; readonly pending: number };

/**
 * Writes outcomes to the log, all that came up in one turn of the event loop in one call. While the log is away it tries again, with the same
 * ids, until it is back or `signal` ends.
 */
export function createRecorder(
  log: EventLog,
  signal: AbortSignal,
  broken: (error: unknown) => void,
): Recorder {
  let waiting: Entry[] = [];
  let scheduled = false;
  let pending = 0;

  function flush(): void {
    scheduled = false;
    const entries = waiting;
    waiting = [];
    for (let from = 0; from < entries.length; from += MOST_APPENDS) {
      const part = entries.slice(from, from + MOST_APPENDS);
      write(part).catch((error: unknown) => {
        if (!signal.aborted) broken(error);
      });
    }
  }

  async function write(entries: readonly Entry[]): Promise<void> {
    await failpoint("dispatch.before_append");
    const outcomes = await appendPatiently(
      log,
      entries.map(({ append }) => append),
      signal,
    );
    await failpoint("dispatch.after_append");
    pending -= entries.length;
    for (const [index, outcome] of outcomes.entries()) {
      const { recorded, conflicted, refused } = entries[index]!;
      if (outcome.kind === "conflict") conflicted();
      else if (outcome.kind === "invalid") refused(outcome.message);
      else recorded(outcome.revision);
    }
  }

  return {
    push(entry) {
      waiting.push(entry);
      pending++;
      if (scheduled) return;
      scheduled = true;
      setImmediate(flush);
    },
    get pending() {
      return pending;
    },
  };
}

/** Appends, as often as it takes while the log cannot. Throws when the signal ends first, or for any other error. */
export async function appendPatiently(
  log: EventLog,
  appends: readonly Append[],
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  for (;;) {
    try {
      return await log.append(appends);
    } catch (error) {
      if (!(error instanceof LogUnavailable) || signal.aborted) throw error;
      await pause(error.retryAfterMs * (0.5 + Math.random()), signal);
    }
  }
}
