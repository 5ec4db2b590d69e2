import { Batches, joinsBatch } from "./batches.ts";
import { statusWithout, together, type Job } from "./job.ts";
import { askedAgain, isFull, maxUrgent, refillBelow, waitsLong, type Lane } from "./lane.ts";
import { advance, begin, dissolve, dissolveAll, isOrdered, placeOf } from "./order.ts";
import type { Window } from "./window.ts";

export type MemoryHears = {
  /** The sandbox that it tells of was reset. */
  readonly isOver: (job: Job) => boolean;
  readonly left: (id: string) => void;
  readonly kick: (lane: Lane) => void;
  /** There is something to do in so many ms. */
  readonly tickIn: (ms: number) => void;
  readonly isStopping: () => boolean;
};

/** The deliveries in memory, in the queues of their lanes: what comes in, what goes to the table, and what is over. */
export class Memory {
  readonly batches: Batches;
  readonly #window: Window;
  /** Most of them over all endpoints; above it new ones go straight to the table. */
  readonly #most: number;
  readonly #hears: MemoryHears;
  #size = 0;
  /** What left since this was asked for. */
  #left: Map<string, Job> | undefined;

  constructor(window: Window, most: number, hears: MemoryHears) {
    this.#window = window;
    this.#most = most;
    this.#hears = hears;
    this.batches = new Batches(window, {
      isOver: hears.isOver,
      leave: (lane, job) => this.leave(lane, job),
      park: (lane, job, at) => this.park(lane, job, at),
      kick: hears.kick,
      closeIn: hears.tickIn,
    });
  }

  get size(): number {
    return this.#size;
  }

  /** Gives what leaves from here on until `forgetLeft`, which may be newer than what is read from the table meanwhile. */
  noteLeft(): ReadonlyMap<string, Job> {
    return (this.#left = new Map());
  }

  forgetLeft(): void {
    this.#left = undefined;
  }

  /** Where a new delivery waits. True when it may be sent. */
  place(lane: Lane, job: Job, now: number): boolean {
    const place = placeOf(lane, job);
    job.held = place !== "send";
    if (place === "memory" && this.#size < this.#most && !this.#hears.isStopping())
      this.take(lane, job, lane.chains.get(job.subject!)!);
    else if (job.held || this.#goesToTable(lane, job, now))
      this.park(lane, job, Math.max(now, lane.waitUntil));
    else {
      begin(lane, job);
      this.take(lane, job, job.urgent ? lane.urgent : lane.fresh);
    }
    return !job.held;
  }

  /** On record as pending, to come back from the table, with all that was held behind it. */
  park(lane: Lane, job: Job, at: number): void {
    lane.parks++;
    lane.behind = isOrdered(lane);
    for (const each of together(job)) this.#window.record(each, "pending", at);
    for (const held of dissolve(lane, job)) {
      this.leave(lane, held);
      this.#window.record(held, "pending");
    }
  }

  /** On record as over; the next of its subject may be sent. */
  end(lane: Lane, job: Job, status: "delivered" | "failed" | "discarded"): void {
    for (const each of together(job)) this.#window.record(each, status);
    let next = advance(lane, job);
    for (; next !== undefined && this.#hears.isOver(next); next = advance(lane, next))
      this.discard(lane, next);
    if (next !== undefined) lane.fresh.push(next);
  }

  /** The endpoint keeps the order of subjects no more: all that was held may be sent. */
  loosen(lane: Lane): void {
    for (const job of dissolveAll(lane)) {
      job.held = false;
      this.#queue(lane, job, lane.fresh);
    }
    lane.behind = false;
  }

  take(lane: Lane, job: Job, queue: Job[]): void {
    for (const { id, stored } of together(job)) {
      if (stored) lane.rowsInMemory.add(id);
      this.#size++;
    }
    this.#queue(lane, job, queue);
  }

  leave(lane: Lane, job: Job): void {
    // More from the table before the lane runs dry.
    if (lane.stored.length <= refillBelow && lane.nextDue <= Date.now()) this.#hears.tickIn(0);
    for (const each of together(job)) {
      lane.rowsInMemory.delete(each.id);
      this.#size--;
      this.#hears.left(each.id);
      this.#left?.set(each.id, each);
    }
  }

  discard(lane: Lane, job: Job): void {
    this.leave(lane, job);
    for (const each of together(job)) this.#window.record(each, "discarded");
  }

  /** All that waits for an endpoint that is gone is discarded. */
  empty(lane: Lane): void {
    for (const job of [
      ...lane.urgent.splice(0),
      ...lane.fresh.splice(0),
      ...lane.stored.splice(0),
      ...dissolveAll(lane),
      ...this.batches.drop(lane),
    ])
      this.discard(lane, job);
    this.#window.discard(lane.id);
  }

  /** All that waits for a replay that was canceled is what it was before. */
  cancel(lane: Lane, replay: string): void {
    const dropped: Job[] = [...this.batches.drop(lane, replay)];
    for (const queue of [lane.fresh, lane.stored])
      for (const job of queue.splice(0)) (job.replay === replay ? dropped : queue).push(job);
    for (const [id, job] of lane.again) if (job.replay === replay) lane.again.delete(id);
    for (const job of dropped) {
      this.leave(lane, job);
      for (const each of together(job)) this.#window.record(each, statusWithout(each));
      this.takeAgain(lane, askedAgain(lane, job));
    }
  }

  /** What was asked for again while it was on its way begins. */
  takeAgain(lane: Lane, asked: readonly Job[]): void {
    const now = Date.now();
    for (const job of asked) {
      this.#window.record(job, "pending", now);
      this.take(lane, job, job.urgent ? lane.urgent : lane.stored);
    }
  }

  #queue(lane: Lane, job: Job, queue: Job[]): void {
    if (joinsBatch(lane, job)) this.batches.join(lane, job);
    else queue.push(job);
  }

  /** Whether a new delivery waits in the table: there is no room for it, or its endpoint would let it wait in memory for long. */
  #goesToTable(lane: Lane, job: Job, now: number): boolean {
    if (this.#hears.isStopping() || this.#size >= this.#most) return true;
    if (job.urgent) return lane.urgent.length >= maxUrgent;
    return waitsLong(lane, now) || isFull(lane);
  }
}
