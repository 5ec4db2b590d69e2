import { Company } from "../company.ts";
import { FairQueue, partnerOf } from "../fair-queue.ts";
import type { Item } from "../companions.ts";
import type { Outcome } from "../types.ts";

/** One append on its way, and the call that waits for it. */
export type Waiting = Item & {
  readonly call: Call;
  readonly index: number;
  readonly bytes: number;
  /** How often it was sent and came back undecided. */
  attempts: number;
  /** When it is not tried again, by the clock that nobody sets; set when it is first sent. */
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

/** Of a flush a partner has so much at most while others append too: who comes while one is under way waits for the whole of it. Many partners together still fill it. */
const MOST_OF_SHARED = 1 / 4;

/**
 * Appends, of which partners share each flush by what their appends fill of one, whoever has more of them. Those of one partner go in order of arrival. Of one stream only the first is
 * ready, the others hang behind it until it is settled: so a flush has a stream at most once, order within a stream is kept, and a hot stream costs nothing to skip.
 */
export class Queue {
  readonly #limits: FlushLimits;
  readonly #company: Company;
  readonly #waiting = new FairQueue<Waiting>();
  /** What was taken and must be sent again, before all others. */
  #again: Waiting[] = [];
  #events = 0;
  /** Of those, events that nobody waits for. */
  #patient = 0;
  #size = 0;
  #bytes = 0;
  readonly #order = makeStreamOrder();

  constructor(limits: FlushLimits, company = new Company()) {
    this.#limits = limits;
    this.#company = company;
  }

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

  /** The same for who would wait for more of them, without those that nobody waits for: what was sent before has waited. */
  get gathered(): number {
    return this.#again.length > 0 ? Infinity : this.#events - this.#patient;
  }

  /** Those. */
  get patient(): number {
    return this.#patient;
  }

  /** Whether an append of the stream waits or is under way. */
  has(stream: string): boolean {
    return this.#order.has(stream);
  }

  add(item: Waiting): void {
    this.#size++;
    this.#bytes += item.bytes;
    this.#company.seen(partnerOf(item.append));
    if (this.#order.enter(item)) this.#push(item);
    // Somebody waits for what hangs behind one of them.
    else if (item.append.patient !== true) this.#patient = 0;
  }

  /** What goes into the next flush: at least one item when any is ready, whatever its size. */
  take(): Waiting[] {
    const { maxEvents, maxBytes } = this.#limits;
    const most = this.#company.isShared ? MOST_OF_SHARED * maxEvents : Infinity;
    const filled = new Map<string, number>();
    const taken: Waiting[] = [];
    let events = 0;
    let bytes = 0;
    let again = 0;
    let patient = 0;
    for (;;) {
      const item = this.#again[again] ?? this.#waiting.peek();
      if (item === undefined) break;
      const full = events + item.encoded.length > maxEvents || bytes + item.bytes > maxBytes;
      if (taken.length > 0 && (full || item.alone || taken[0]!.alone)) break;
      const partner = partnerOf(item.append);
      const its = filled.get(partner) ?? 0;
      const sum = its + this.#fills(item);
      // The others who wait have had as much.
      if (its > 0 && sum > most) break;
      filled.set(partner, sum);
      taken.push(item);
      events += item.encoded.length;
      bytes += item.bytes;
      if (again < this.#again.length) again++;
      else {
        this.#waiting.shift();
        if (item.append.patient === true) patient += item.encoded.length;
      }
    }
    if (again > 0) this.#again = this.#again.slice(again);
    this.#events -= events;
    this.#patient = Math.max(0, this.#patient - patient);
    return taken;
  }

  /** Items that were taken and must be sent again, before all others. */
  putBack(list: readonly Waiting[]): void {
    this.#again = [...list, ...this.#again];
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
    const again = this.#again;
    this.#again = [];
    for (const item of again) this.fail(item, error);
    // Failing one makes its follower ready, so this ends when nothing hangs behind anything either.
    for (let item = this.#waiting.shift(); item !== undefined; item = this.#waiting.shift())
      this.fail(item, error);
    this.#events = this.#patient = 0;
  }

  /** What it takes of a flush, in events: one that is large stands for several. */
  #fills({ encoded, bytes }: Waiting): number {
    const { maxEvents, maxBytes } = this.#limits;
    return Math.max(encoded.length, (bytes / maxBytes) * maxEvents);
  }

  #push(item: Waiting): void {
    this.#waiting.push(partnerOf(item.append), item, this.#fills(item));
    this.#events += item.encoded.length;
    if (item.append.patient === true) this.#patient += item.encoded.length;
  }

  #release(item: Waiting): void {
    this.#size--;
    this.#bytes -= item.bytes;
    const follower = this.#order.leave(item);
    if (follower === undefined) return;
    this.#push(follower);
    if (this.#order.isWaitedFor(follower)) this.#patient = 0;
  }
}

/** Streams with an append ready or under way, and what hangs behind it. */
function makeStreamOrder() {
  const busy = new Map<string, Waiting[] | undefined>();
  return {
    has: (stream: string): boolean => busy.has(stream),
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
    /** Whether somebody waits for what hangs behind it. */
    isWaitedFor: ({ append: { stream } }: Waiting): boolean =>
      busy.get(stream)?.some(({ append }) => append.patient !== true) ?? false,
    /** Gives who comes first in the stream now. */
    leave({ append: { stream } }: Waiting): Waiting | undefined {
      const follower = busy.get(stream)?.shift();
      if (follower === undefined) busy.delete(stream);
      return follower;
    },
  };
}
