import { failpoint } from "@heliograph/contracts";
import { LogUnavailable, type Append, type EventLog, type Outcome } from "@heliograph/log";
import { pause } from "@heliograph/runtime";
import type { Entry, Written } from "./desk.ts";
import type { Inbox } from "./inbox.ts";

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
  inbox: Inbox,
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
    for (const [index, outcome] of outcomes.entries())
      inbox.put({ type: "written", entry: entries[index]!, outcome: writtenOf(outcome) });
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

const recorded: Written = { kind: "recorded" };
const conflict: Written = { kind: "conflict" };

function writtenOf(outcome: Outcome): Written {
  if (outcome.kind === "conflict") return conflict;
  return outcome.kind === "invalid" ? { kind: "refused", reason: outcome.message } : recorded;
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
