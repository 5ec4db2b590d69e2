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

export type FlushLimits = { readonly maxEvents: number; readonly maxBytes: number };

/**
 * Appends in order of arrival. Of one stream only the first is ready, the others hang behind it until it is settled:
 * so a flush has a stream at most once, order within a stream is kept, and a hot stream costs nothing to skip.
 */
export class Queue {
  #items: Waiting[] = [];
  #next = 0;
  #events = 0;
  #size = 0;
  #bytes = 0;
  readonly #order = makeStreamOrder();

  /** Appends that wait or are under way. */
  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Events that could be sent now. */
  get ready(): number {
    return this.#events;
  }

  add(item: Waiting): void {
    this.#size++;
    this.#bytes += item.bytes;
    if (this.#order.enter(item)) this.#push(item);
  }

  /** What goes into the next flush: at least one item when any is ready, whatever its size. */
  take(limits: FlushLimits): Waiting[] {
    const taken = nextFlush(this.#items, this.#next, limits);
    this.#next += taken.length;
    for (const item of taken) this.#events -= item.encoded.length;
    if (this.#next === this.#items.length) {
      this.#items = [];
      this.#next = 0;
    } else if (this.#next > 4_096) {
      this.#items.splice(0, this.#next);
      this.#next = 0;
    }
    return taken;
  }

  /** Items that were taken and must be sent again, before all others. */
  putBack(list: readonly Waiting[]): void {
    this.#items = [...list, ...this.#items.slice(this.#next)];
    this.#next = 0;
    for (const item of list) this.#events += item.encoded.length;
  }

  settle(item: Waiting, outcome: Outcome): void {
    this.#release(item);
    const { call } = item;
    call.outcomes[item.index] = outcome;
    if (--call.left === 0) call.resolve(call.outcomes);
  }

  fail(item: Waiting, error: unknown): void {
    this.#release(item);
    item.call.reject(error);
  }

  /** Fails everything that has not been taken. */
  failAll(error: unknown): void {
    // Failing one makes its follower ready, so this ends when nothing hangs behind anything either.
    while (this.#next < this.#items.length) {
      const item = this.#items[this.#next++]!;
      this.#events -= item.encoded.length;
      this.fail(item, error);
    }
    this.#items = [];
    this.#next = 0;
  }

  #push(item: Waiting): void {
    this.#items.push(item);
    this.#events += item.encoded.length;
  }

  #release(item: Waiting): void {
    this.#size--;
    this.#bytes -= item.bytes;
    const follower = this.#order.leave(item);
    if (follower !== undefined) this.#push(follower);
  }
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
