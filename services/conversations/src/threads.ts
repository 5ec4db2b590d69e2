import { streamOf } from "@heliograph/contracts";
import {
  type BoundedCache,
  type ThreadState,
  boundedCache,
  evolveThread,
} from "@heliograph/domain";
import type { EventLog, RecordedEvent } from "@heliograph/log";

/** A state is 2 KB and 100 bytes for each of its messages. */
const rememberedThreads = 5_000;

export type Threads = {
  /** Takes in an event of a thread from the feed. */
  see(event: RecordedEvent): void;
  /** The thread's state, from memory or the log; undefined where there is no such thread. */
  get(name: string): Promise<ThreadState | undefined>;
  set(name: string, state: ThreadState | undefined): void;
  /** What is remembered of it was wrong. */
  forget(name: string): void;
};

/** Folded threads, fed by the subscription, so that one that is warm is never read back. */
export function openThreads(log: Pick<EventLog, "scanStream">): Threads {
  const states: BoundedCache<string, ThreadState> = boundedCache(rememberedThreads);
  return {
    see(event) {
      const name = event.stream.slice("thread-".length);
      const before = states.get(name);
      if (before === undefined || event.revision <= before.revision) return;
      const after =
        event.revision === before.revision + 1 ? evolveThread(before, event) : undefined;
      if (after === undefined) states.delete(name);
      else states.set(name, after);
    },
    async get(name) {
      const known = states.get(name);
      if (known !== undefined) return known;
      const read = await readThread(log, name);
      if (read !== undefined) states.set(name, read);
      return read;
    },
    set(name, state) {
      if (state !== undefined) states.set(name, state);
    },
    forget: (name) => states.delete(name),
  };
}

/** Folds a thread from the log, up to a position where one is given. */
export async function readThread(
  log: Pick<EventLog, "scanStream">,
  name: string,
  before?: bigint,
): Promise<ThreadState | undefined> {
  let state: ThreadState | undefined;
  for await (const event of log.scanStream(streamOf("thread", name))) {
    if (before !== undefined && event.position >= before) break;
    state = evolveThread(state, event);
  }
  return state;
}
