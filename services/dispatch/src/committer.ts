import { failpoint } from "@heliograph/contracts";
import { createAlarm } from "@heliograph/runtime";
import type { Checkpoint, PartnerClock, WritePart } from "@heliograph/runtime";
import type { Floor } from "./floor.ts";
import type { Intents } from "./intents.ts";
import type { Job } from "./job.ts";
import { deleteTimers, upsertTimers, type Owner, type Timer } from "./store.ts";

/** Jobs in one intent: bounds the row, and what one commit waits for. */
const MOST_CALLS = 500;
/** What needs no commit of its own waits so long for one that happens anyway: removed intents, a moved position. */
const IDLE_MS = 100;

export type Committer = {
  /** Commits at once what is urgent; while a commit is in flight, everything new shares the next one. */
  pump(): void;
  timer(messageId: string, timer: Timer): void;
  timerDone(messageId: string): void;
  /** Its timer is set, and not durable yet. */
  settingTimer(messageId: string): boolean;
  /** Proves that this owner still holds the checkpoint. Throws Fenced. */
  prove(): Promise<void>;
  /** Commits everything that is left. */
  finish(): Promise<void>;
  /** When ownership was last proved, by the monotonic clock, ms. */
  readonly provedAt: number;
};

type Options = {
  readonly checkpoint: Checkpoint;
  readonly owner: Owner;
  readonly intents: Intents;
  readonly floor: Floor;
  readonly admit: (limit: number) => readonly Job[];
  /** The jobs are announced durably: they may be called. */
  readonly run: (jobs: readonly Job[]) => void;
  /** Timers with these due times are durable. */
  readonly timersWritten: (earliest: number) => void;
  readonly clock: Pick<PartnerClock, "aheadMs">;
  /** Something is durable. */
  readonly committed: () => void;
  readonly broken: (error: unknown) => void;
};

/** When the first of them is due, by the real clock. */
const earliestOf = (timers: ReadonlyMap<string, Timer>, clock: Options["clock"]): number =>
  Math.min(...[...timers.values()].map(({ dueAt, partner }) => dueAt - clock.aheadMs(partner)));

/**
 * One durable commit per group of calls carries everything: the intent, finished intents, timers and the checkpoint.
 *
 *   idle ──pump, and jobs or timers wait──▶ in flight ──▶ idle, and asks itself again
 *    │                                         └──error──▶ failed: nothing is committed any more, the runtime starts a new owner
 *    ├──only finished intents or a position wait──▶ idle, with an alarm in 100 ms
 *    └──finish──▶ finished, after one last commit
 *
 * While a commit is in flight everything new gathers for the next one. Between the commit of an intent and the removal of it, a crash leaves the group's calls
 * uncertain; `recover.ts` settles them.
 */
/** Parts of one statement may not touch the same row: a timer that is set again is not removed. */
function timerParts(
  set: ReadonlyMap<string, Timer>,
  done: ReadonlySet<string>,
  owner: number | null,
): readonly WritePart[] {
  const gone = [...done].filter((id) => !set.has(id));
  return [
    ...(set.size > 0 ? [upsertTimers(set, () => owner)] : []),
    ...(gone.length > 0 ? [deleteTimers(gone)] : []),
  ];
}

export function createCommitter(options: Options): Committer {
  const { checkpoint, floor, owner, intents } = options;
  let timers = new Map<string, Timer>();
  let writing = timers;
  let doneTimers = new Set<string>();
  let scheduled = false;
  let inFlight: Promise<void> | undefined;
  let finished = false;
  /** What a failed commit would have stored is lost: no later one may move the checkpoint past it. */
  let failed = false;
  let provedAt = performance.now();
  const idle = createAlarm(() => {
    if (inFlight === undefined && !finished && !failed) begin([]);
  });

  function begin(jobs: readonly Job[]): void {
    inFlight = commit(jobs).then(
      () => {
        inFlight = undefined;
        pump();
      },
      (error: unknown) => {
        inFlight = undefined;
        failed = true;
        options.broken(error);
      },
    );
  }

  /** Everything that happens in one turn of the event loop shares a commit. */
  function pump(): void {
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(commitWhatIsUrgent);
  }

  function commitWhatIsUrgent(): void {
    scheduled = false;
    if (inFlight !== undefined || finished || failed) return;
    let jobs: readonly Job[];
    try {
      jobs = options.admit(MOST_CALLS);
    } catch (error) {
      // In a microtask nobody else would catch it, and the process would end.
      failed = true;
      return options.broken(error);
    }
    if (jobs.length > 0 || timers.size > 0) begin(jobs);
    else if (intents.waiting || doneTimers.size > 0 || floor.position() > checkpoint.position)
      idle.at(Date.now() + IDLE_MS);
  }

  async function commit(jobs: readonly Job[]): Promise<void> {
    await failpoint("dispatch.before_intent");
    const newTimers = timers;
    const parts: WritePart[] = jobs.length > 0 ? [intents.announce(jobs)] : [];
    for (const job of jobs) {
      // From here on the intent stands for the job.
      if (job.mark !== undefined) floor.release(job.mark);
      else doneTimers.add(job.messageId);
      job.mark = undefined;
    }
    parts.push(...intents.take());
    parts.push(...timerParts(newTimers, doneTimers, owner));
    timers = new Map();
    writing = newTimers;
    doneTimers = new Set();
    await checkpoint.commit(floor.position(), parts);
    writing = new Map();
    provedAt = performance.now();
    await failpoint("dispatch.after_intent");
    if (newTimers.size > 0) options.timersWritten(earliestOf(newTimers, options.clock));
    options.committed();
    options.run(jobs);
  }

  return {
    pump,
    timer(messageId, timer) {
      doneTimers.delete(messageId);
      timers.set(messageId, timer);
    },
    timerDone(messageId) {
      timers.delete(messageId);
      doneTimers.add(messageId);
    },
    settingTimer: (messageId) => timers.has(messageId) || writing.has(messageId),
    async prove() {
      await checkpoint.commit(checkpoint.position);
      provedAt = performance.now();
    },
    async finish() {
      finished = true;
      idle.cancel();
      await inFlight;
      if (!failed) await commit([]);
    },
    get provedAt() {
      return provedAt;
    },
  };
}
