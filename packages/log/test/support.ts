import { randomUUID } from "node:crypto";
import type { Append, EventLog, NewEvent, RecordedEvent, SubscribeOptions } from "../src/index.ts";

export function event(over: Partial<NewEvent> = {}): NewEvent {
  return { id: randomUUID(), type: "Tested", data: { n: 1 }, metadata: { partner: "p1" }, ...over };
}

/** An append of one event to a stream of its own. */
export function newStream(over: Partial<NewEvent> = {}): Append {
  return { stream: `test-${randomUUID()}`, expected: "no_stream", events: [event(over)] };
}

export type Watcher = {
  readonly events: RecordedEvent[];
  readonly position: bigint;
  readonly caughtUp: boolean;
  readonly batches: number;
  /** Ends the subscription and gives its failure, if it had one. */
  stop(): Promise<void>;
};

/** Collects what a subscription yields. */
export function watch(log: EventLog, options: Omit<SubscribeOptions, "signal">): Watcher {
  const abort = new AbortController();
  const seen = {
    events: [] as RecordedEvent[],
    position: options.after,
    caughtUp: false,
    batches: 0,
  };
  async function run(): Promise<void> {
    for await (const batch of log.subscribe({ ...options, signal: abort.signal })) {
      for (const one of batch.events) seen.events.push(one);
      seen.position = batch.position;
      seen.caughtUp = batch.caughtUp;
      seen.batches++;
    }
  }
  const done = run();
  done.catch(() => {});
  return Object.defineProperties({} as Watcher, {
    events: { get: () => seen.events },
    position: { get: () => seen.position },
    caughtUp: { get: () => seen.caughtUp },
    batches: { get: () => seen.batches },
    stop: {
      value: async () => {
        abort.abort();
        await done;
      },
    },
  });
}

/** Positions that only grow, and dense ones where the engine promises them: nothing twice, nothing out of order. */
export const inOrder = (events: readonly RecordedEvent[], dense: boolean, after = 0n): boolean =>
  dense
    ? isDense(events, after)
    : events.every((one, index) => one.position > (events[index - 1]?.position ?? after));

/** Every position once, in order, from the first to the last: no hole, no repetition. */
export function isDense(events: readonly RecordedEvent[], after = 0n): boolean {
  return events.every((one, index) => one.position === after + BigInt(index) + 1n);
}
