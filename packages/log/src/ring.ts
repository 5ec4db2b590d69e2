import { makeBell } from "./bell.ts";
import type { Batch, Position, RecordedEvent } from "./types.ts";

export type RingLimits = { readonly maxEvents: number; readonly maxBytes: number };

/** Enough that a consumer may fall a second behind at full load and still never read; bounded in memory either way. */
export const DEFAULT_RING: RingLimits = { maxEvents: 20_000, maxBytes: 64 * 1_048_576 };

/** Fewer say nothing of a log's distances. */
const fewEvents = 50;

/**
 * The newest events of a log, up to its tail. Positions may have holes (a log that was copied from elsewhere): what
 * joins up is told by the range of positions that a list covers completely, never by counting.
 */
export class Ring {
  /** Rings whenever there is more, or the ring begins anew. */
  readonly arrived = makeBell();
  readonly #limits: RingLimits;
  /** From index `#dropped` on: every event after `#start` up to the tail. Sizes are parallel to it. */
  #events: RecordedEvent[] = [];
  #sizes: number[] = [];
  #dropped = 0;
  #start = 0n;
  #tail = -1n;
  #bytes = 0;

  constructor(limits: RingLimits) {
    this.#limits = limits;
  }

  /** The last position in the ring. -1n: not known yet. */
  get tail(): bigint {
    return this.#tail;
  }
  /** The position after which it has everything. */
  get start(): bigint {
    return this.#start;
  }
  /** Average distance of the positions of its events; undefined while there are too few. */
  distance(): number | undefined {
    const count = this.#events.length - this.#dropped;
    if (count < fewEvents) return undefined;
    const [first, last] = [this.#events[this.#dropped]!, this.#events.at(-1)!];
    return Number(last.position - first.position) / (count - 1);
  }

  reset(position: bigint): void {
    this.#events = [];
    this.#sizes = [];
    this.#dropped = 0;
    this.#start = position;
    this.#tail = position;
    this.#bytes = 0;
    this.arrived.ring();
  }

  /** Takes of a list that is complete after `from` and up to `to` what lies beyond the tail; false when a hole would be left. */
  join(list: readonly RecordedEvent[], size: number, from: bigint, to: bigint): boolean {
    if (to <= this.#tail) return true;
    if (from > this.#tail) return false;
    const each = list.length === 0 ? 0 : size / list.length;
    for (let index = firstAfter(list, this.#tail, 0); index < list.length; index++) {
      this.#events.push(list[index]!);
      this.#sizes.push(each);
      this.#bytes += each;
    }
    this.#tail = to;
    this.#dropOldest();
    this.arrived.ring();
    return true;
  }

  /** What the ring has after `position`; undefined when it no longer reaches back so far, or not yet there. */
  slice(position: bigint, max: number, types: ReadonlySet<string> | undefined): Batch | undefined {
    const tail = this.#tail;
    if (tail < 0n || position < this.#start || position > tail) return undefined;
    const events = this.#events;
    const from = firstAfter(events, position, this.#dropped);
    const found: RecordedEvent[] = [];
    let index = from;
    while (index < events.length && found.length < max) {
      const event = events[index++]!;
      if (types === undefined || types.has(event.type)) found.push(event);
    }
    const reached =
      index === events.length ? tail : index > from ? events[index - 1]!.position : position;
    return { events: found, position: reached, head: tail, caughtUp: reached >= tail };
  }

  #dropOldest(): void {
    const events = this.#events;
    const { maxEvents, maxBytes } = this.#limits;
    while (
      events.length - this.#dropped > maxEvents ||
      (this.#bytes > maxBytes && events.length > this.#dropped)
    ) {
      this.#bytes -= this.#sizes[this.#dropped]!;
      this.#start = events[this.#dropped]!.position;
      this.#dropped++;
    }
    // Moving the rest down each time would cost more than the events themselves.
    if (this.#dropped < 4_096) return;
    events.splice(0, this.#dropped);
    this.#sizes.splice(0, this.#dropped);
    this.#dropped = 0;
  }
}

/** The index of the first event after a position, from `low` on; the list's length when there is none. */
function firstAfter(list: readonly RecordedEvent[], position: Position, low: number): number {
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]!.position <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
