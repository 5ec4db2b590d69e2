import type { Item } from "./flush.ts";
import type { Outcome } from "../types.ts";

/** One append on its way, and the call that waits for it. */
export type Waiting = Item & {
  readonly call: Call;
  readonly index: number;
  readonly bytes: number;
  /** How often it was sent and came back undecided. */
  attempts: number;
  /** Epoch milliseconds after which it is not tried again; set when it is first sent. */
  giveUpAt: number;
  /** Sent by itself: in company it failed for a reason that may be a neighbour's. */
  alone: boolean;
  /** The fast statement could not decide it. */
  slow: boolean;
};

export type Call = {
  readonly outcomes: Outcome[];
  left: number;
  readonly resolve: (outcomes: readonly Outcome[]) => void;
  readonly reject: (error: unknown) => void;
};

export type Queue = {
  /** Appends that wait or are under way. */
  size(): number;
  bytes(): number;
  /** Events that could be sent now. */
  ready(): number;
  add(item: Waiting): void;
  /** What goes into the next flush: at least one item when any is ready, whatever its size. */
  take(limits: FlushLimits): Waiting[];
  /** Items that were taken and must be sent again, before all others. */
  putBack(items: readonly Waiting[]): void;
  settle(item: Waiting, outcome: Outcome): void;
  fail(item: Waiting, error: unknown): void;
  /** Fails everything that has not been taken. */
  failAll(error: unknown): void;
};

export type FlushLimits = { readonly maxEvents: number; readonly maxBytes: number };

/**
 * Appends in order of arrival. Of one stream only the first is ready, the others hang behind it until it is settled:
 * so a flush has a stream at most once, order within a stream is kept, and a hot stream costs nothing to skip.
 */
export function makeQueue(): Queue {
  let items: Waiting[] = [];
  let next = 0;
  let events = 0;
  let size = 0;
  let bytes = 0;
  const order = makeStreamOrder();

  function push(item: Waiting): void {
    items.push(item);
    events += item.encoded.length;
  }

  function release(item: Waiting): void {
    size--;
    bytes -= item.bytes;
    const follower = order.leave(item);
    if (follower !== undefined) push(follower);
  }

  function fail(item: Waiting, error: unknown): void {
    release(item);
    item.call.reject(error);
  }

  return {
    size: () => size,
    bytes: () => bytes,
    ready: () => events,
    add(item) {
      size++;
      bytes += item.bytes;
      if (order.enter(item)) push(item);
    },
    take(limits) {
      const taken = nextFlush(items, next, limits);
      next += taken.length;
      for (const item of taken) events -= item.encoded.length;
      if (next === items.length) {
        items = [];
        next = 0;
      } else if (next > 4_096) {
        items.splice(0, next);
        next = 0;
      }
      return taken;
    },
    putBack(list) {
      items = [...list, ...items.slice(next)];
      next = 0;
      for (const item of list) events += item.encoded.length;
    },
    settle(item, outcome) {
      release(item);
      const { call } = item;
      call.outcomes[item.index] = outcome;
      if (--call.left === 0) call.resolve(call.outcomes);
    },
    fail,
    failAll(error) {
      // Failing one makes its follower ready, so this ends when nothing hangs behind anything either.
      while (next < items.length) {
        const item = items[next++]!;
        events -= item.encoded.length;
        fail(item, error);
      }
      items = [];
      next = 0;
    },
  };
}

/** The items from a place on that make one flush: one at least, however large it is. */
function nextFlush(
  items: readonly Waiting[],
  from: number,
  { maxEvents, maxBytes }: FlushLimits,
): Waiting[] {
  const taken: Waiting[] = [];
  let events = 0;
  let bytes = 0;
  for (let index = from; index < items.length; index++) {
    const item = items[index]!;
    const full = events + item.encoded.length > maxEvents || bytes + item.bytes > maxBytes;
    if (taken.length > 0 && (full || item.alone || taken[0]!.alone)) break;
    taken.push(item);
    events += item.encoded.length;
    bytes += item.bytes;
  }
  return taken;
}

/** Streams with an append ready or under way, and what hangs behind it. */
function makeStreamOrder() {
  const busy = new Map<string, Waiting[] | undefined>();
  return {
    /** True for the first of its stream; others hang behind it. */
    enter(item: Waiting): boolean {
      const { stream } = item.append;
      if (!busy.has(stream)) {
        busy.set(stream, undefined);
        return true;
      }
      const behind = busy.get(stream);
      if (behind === undefined) busy.set(stream, [item]);
      else behind.push(item);
      return false;
    },
    /** Gives who comes first in the stream now. */
    leave({ append: { stream } }: Waiting): Waiting | undefined {
      const follower = busy.get(stream)?.shift();
      if (follower === undefined) busy.delete(stream);
      return follower;
    },
  };
}
