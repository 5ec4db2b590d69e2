import { shardPart, webhookAnswerMs } from "@heliograph/contracts";
import { createAlarm, type ReactorTools } from "@heliograph/runtime";
import { dialAs, type DialOptions } from "./dial.ts";
import { Batches, joinsBatch } from "./batches.ts";
import { DueLook } from "./due.ts";
import { maxAttemptsKept, together, type Job, type Slot } from "./job.ts";
import {
  failed,
  isFull,
  isOpen,
  longWaitMs,
  maxUrgent,
  refillBelow,
  succeeded,
  waitsLong,
  type Lane,
} from "./lane.ts";
import type { Health } from "./health.ts";
import { advance, begin, dissolve, dissolveAll, isOrdered, placeOf } from "./order.ts";
import type { Lanes } from "./lanes.ts";
import { deliveryMetrics, type DeliveryMetrics } from "./metrics.ts";
import { judge } from "./schedule.ts";
import { attemptOf, outcomeOf, type Result } from "./result.ts";
import { Sender } from "./sender.ts";
import type { Store } from "./store.ts";
import type { Tally } from "./tally.ts";
import { Watch } from "./watch.ts";
import type { Window } from "./window.ts";

export type CourierOptions = DialOptions & {
  /** `webhookAnswerMs` where none is given. */
  readonly deadlineMs?: number;
};

/** What is not on record after so long becomes a pending row, so that the checkpoint moves however slow an endpoint is. */
const spillAfterMs = 1_000;
const tickMs = 50;
/** A delivery whose endpoint could not be disabled because the log was away is tried again after this. */
const retryDisableMs = 5_000;
/** Connections and lanes of idle endpoints are looked for this often. */
const evictEveryMs = 30_000;
/** Counts of attempts that nothing else was written with. */
const countsWaitMs = 1_000;
/** Most deliveries in memory over all endpoints; above it new ones go straight to the table. */
const maxInMemory = 20_000;
/** Requests in the air over all endpoints. */
const maxActive = 512;

/**
 * Carries deliveries from the batch they came in to their end: sends them through their endpoint's lane, judges the result, puts it on record, and brings
 * pending ones back from the table when they are due. One timer serves deadlines, spilling, due rows and waiting endpoints; it rests when nothing waits.
 */
export class Courier {
  readonly #tools: ReactorTools;
  readonly #store: Store;
  readonly #lanes: Lanes;
  readonly #window: Window;
  readonly #tally: Tally;
  readonly #watch: Watch;
  readonly #sender: Sender;
  readonly #scale: number;
  readonly #metrics: DeliveryMetrics;
  /** Lanes that only time can move. */
  readonly #waiting = new Set<Lane>();
  readonly #maxInMemory: number;
  readonly #forgetDirectory: () => void;
  #inMemory = 0;
  readonly #dueLook: DueLook;
  readonly #batches: Batches;
  readonly #alarm = createAlarm(
    () => this.#tick(),
    () => performance.now(),
  );
  #evictedAt = 0;
  #stopping = false;

  constructor(
    tools: ReactorTools,
    store: Store,
    lanes: Lanes,
    window: Window,
    tally: Tally,
    health: Health,
    options: CourierOptions,
  ) {
    const { settings } = tools.context;
    this.#tools = tools;
    this.#store = store;
    this.#lanes = lanes;
    this.#window = window;
    this.#tally = tally;
    this.#watch = new Watch(tools, tally, health);
    this.#scale = settings.retryScale;
    this.#metrics = deliveryMetrics(tools.context.environment, {
      inMemory: () => this.#inMemory,
      pending: () => this.#store.countPending(),
    });
    this.#dueLook = new DueLook(store, lanes, window, {
      isOver: (job) => this.#isOver(job),
      take: (lane, job) => this.#take(lane, job, lane.stored),
      kick: (lane) => this.#sender.kick(lane),
      isStopping: () => this.#stopping,
    });
    this.#batches = new Batches(window, {
      isOver: (job) => this.#isOver(job),
      leave: (lane, job) => this.#leave(lane, job),
      park: (lane, job, at) => this.#park(lane, job, at),
      kick: (lane) => this.#sender.kick(lane),
      closeIn: (ms) => this.#tickAt(Date.now() + ms),
    });
    this.#forgetDirectory = tools.context.directory.onChange(() => this.#dropOver());
    this.#maxInMemory = shardPart(maxInMemory, tools.shard, 2_000);
    const { deadlineMs = webhookAnswerMs } = options;
    this.#sender = new Sender({
      dial: dialAs(settings, options, deadlineMs),
      deadlineMs,
      maxActive: shardPart(maxActive, tools.shard, 128),
      now: Date.now,
      open: tools.context.vault.openJson,
      onDone: (lane, job, result, startedAt) => this.#finished(lane, job, result, startedAt),
      onWait: (lane) => {
        this.#waiting.add(lane);
        this.#tickAt(Date.now() + tickMs);
      },
    });
  }

  room(): Promise<void> {
    return this.#window.room();
  }

  /** Takes the deliveries of a batch. */
  deliver(jobs: readonly Job[], slot: Slot): void {
    const now = Date.now();
    for (const job of jobs) {
      job.slot = slot;
      slot.unresolved.add(job);
    }
    const touched = new Set<Lane>();
    for (const job of jobs) {
      const lane = this.#lanes.lane(job.endpointId, now);
      if (lane === undefined || !isOpen(lane) || this.#isOver(job)) {
        this.#window.record(job, "discarded");
      } else if (lane.rowsInMemory.has(job.id)) {
        slot.unresolved.delete(job); // it is on its way already
      } else if (this.#place(lane, job, now)) touched.add(lane);
    }
    for (const lane of touched) this.#sender.kick(lane);
    if (slot.unresolved.size > 0) this.#tickAt(now + tickMs);
  }

  /** A delivery stands in the table as pending. One that is in memory too is sent from there: the table need not be read for it. */
  onRecord(job: Job, at: number): void {
    const lane = this.#lanes.open(job.endpointId);
    if (lane !== undefined) this.#batches.written(lane, job);
    if (!lane?.rowsInMemory.has(job.id)) this.pendingAt(job.endpointId, at);
  }

  /** The table has a delivery of this endpoint that is due at a time (epoch ms). */
  pendingAt(endpointId: string, at: number): void {
    const lane = this.#lanes.lane(endpointId, Date.now());
    if (lane === undefined || !isOpen(lane)) return;
    lane.nextDue = Math.min(lane.nextDue, at);
    lane.behind ||= isOrdered(lane);
    this.#tickAt(Math.max(at, Date.now() + 1));
  }

  /** An endpoint was edited, rotated, enabled, disabled or deleted. */
  changed(endpointId: string): void {
    const lane = this.#lanes.open(endpointId);
    if (lane === undefined) return;
    if (!isOpen(lane)) return this.#empty(lane);
    if (lane.behind) this.pendingAt(endpointId, Date.now());
    this.#batches.loosen(lane);
    this.#sender.kick(lane);
  }

  /** An endpoint got another URL: what waits for it to be written need not wait for the receiver before. */
  moved(endpointId: string): void {
    this.#window.due(endpointId, Date.now());
  }

  /** Finishes what is in the air within the time and puts the rest on record as pending; with no time it writes nothing. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    this.#forgetDirectory();
    this.#alarm.cancel();
    this.#metrics.close();
    this.#sender.stop();
    const until = performance.now() + deadlineMs * 0.8;
    while (this.#sender.active > 0 && performance.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 10));
    this.#sender.abortAll("shutdown", "the service is shutting down");
    if (deadlineMs > 0) {
      const now = Date.now();
      for (const slot of this.#window.slots)
        for (const job of slot.unresolved) this.#window.record(job, "pending", now);
      await this.#window
        .flush()
        .catch((error: unknown) =>
          this.#tools.logger.warn({ error }, "deliveries in flight will be sent again"),
        );
    }
    this.#window.close();
    this.#lanes.close();
  }

  /** Where a new delivery waits. True when it may be sent. */
  #place(lane: Lane, job: Job, now: number): boolean {
    const place = placeOf(lane, job);
    job.held = place !== "send";
    if (place === "memory" && this.#inMemory < this.#maxInMemory && !this.#stopping)
      this.#take(lane, job, lane.chains.get(job.subject!)!);
    else if (job.held || this.#goesToTable(lane, job, now))
      this.#park(lane, job, Math.max(now, lane.waitUntil));
    else {
      begin(lane, job);
      this.#take(lane, job, job.urgent ? lane.urgent : lane.fresh);
    }
    return !job.held;
  }

  /** On record as pending, to come back from the table, with all that was held behind it. */
  #park(lane: Lane, job: Job, at: number): void {
    lane.parks++;
    lane.behind = isOrdered(lane);
    for (const each of together(job)) this.#window.record(each, "pending", at);
    for (const held of dissolve(lane, job)) {
      this.#leave(lane, held);
      this.#window.record(held, "pending");
    }
  }

  /** On record as over; the next of its subject may be sent. */
  #end(lane: Lane, job: Job, status: "delivered" | "failed" | "discarded"): void {
    for (const each of together(job)) this.#window.record(each, status);
    let next = advance(lane, job);
    for (; next !== undefined && this.#isOver(next); next = advance(lane, next))
      this.#discard(lane, next);
    if (next !== undefined) lane.fresh.push(next);
  }

  /** An endpoint keeps the order of subjects no more: all that was held may be sent. */
  loosened(endpointId: string): void {
    this.#window.loosen(endpointId, Date.now());
    const lane = this.#lanes.open(endpointId);
    if (lane === undefined) return;
    for (const job of dissolveAll(lane)) {
      job.held = false;
      this.#queue(lane, job, lane.fresh);
    }
    lane.behind = false;
    this.#sender.kick(lane);
  }

  /** Whether a new delivery waits in the table: there is no room for it, or its endpoint would let it wait in memory for long. */
  #goesToTable(lane: Lane, job: Job, now: number): boolean {
    if (this.#stopping || this.#inMemory >= this.#maxInMemory) return true;
    if (job.urgent) return lane.urgent.length >= maxUrgent;
    return waitsLong(lane, now) || isFull(lane);
  }

  #take(lane: Lane, job: Job, queue: Job[]): void {
    for (const { id, stored } of together(job)) {
      if (stored) lane.rowsInMemory.add(id);
      this.#inMemory++;
    }
    this.#queue(lane, job, queue);
  }

  #queue(lane: Lane, job: Job, queue: Job[]): void {
    if (joinsBatch(lane, job)) this.#batches.join(lane, job);
    else queue.push(job);
  }

  #leave(lane: Lane, job: Job): void {
    // More from the table before the lane runs dry.
    if (lane.stored.length <= refillBelow && lane.nextDue <= Date.now()) this.#tickAt(0);
    for (const { id } of together(job)) {
      lane.rowsInMemory.delete(id);
      this.#inMemory--;
      this.#dueLook.left(id);
    }
  }

  /** The sandbox that it tells of was reset. */
  #isOver({ partner }: Pick<Job, "partner">): boolean {
    const { directory, environment } = this.#tools.context;
    return directory.isOver(environment, partner);
  }

  /** What waits in memory and tells of a sandbox that was reset; rows in the table are discarded when they are due. */
  #dropOver(): void {
    const { directory, environment } = this.#tools.context;
    for (const lane of this.#lanes) {
      const { partner } = lane.endpoint;
      // Most were never reset, and the directory changes with each key that is made.
      if (directory.spaceOf(environment, partner) === partner) continue;
      for (const queue of [lane.urgent, lane.fresh, lane.stored])
        for (const job of queue.splice(0))
          if (!this.#isOver(job)) queue.push(job);
          else for (const over of [job, ...dissolve(lane, job)]) this.#discard(lane, over);
    }
  }

  #discard(lane: Lane, job: Job): void {
    this.#leave(lane, job);
    for (const each of together(job)) this.#window.record(each, "discarded");
  }

  /** The endpoint is gone: nothing more is sent, what waited is discarded. Rows in the table are discarded by the write that closes the endpoint. */
  #empty(lane: Lane): void {
    for (const job of [
      ...lane.urgent.splice(0),
      ...lane.fresh.splice(0),
      ...lane.stored.splice(0),
      ...dissolveAll(lane),
      ...this.#batches.drop(lane),
    ])
      this.#discard(lane, job);
    this.#window.discard(lane.id);
    this.#sender.abort(lane, "endpoint_closed", "the endpoint was disabled or deleted");
    lane.nextDue = Infinity;
  }

  #finished(lane: Lane, job: Job, result: Result, startedAt: number): void {
    const now = Date.now();
    if (result.type === "error" && result.code === "shutdown") {
      if (job.slot !== undefined) this.#window.record(job, "pending", now);
      return this.#leave(lane, job);
    }
    const attempt = attemptOf(result, job, startedAt, now);
    for (const each of together(job)) {
      each.attempts = [...each.attempts, attempt].slice(-maxAttemptsKept);
      each.tries++;
    }
    const verdict = judge(result, job.tries, now, Math.random(), this.#scale);
    this.#metrics.attempt(verdict.type, attempt.duration_ms);
    const outcome = outcomeOf(result);
    const hopeless =
      outcome === undefined
        ? undefined
        : this.#watch.ended(lane, outcome, attempt.duration_ms, now);
    if (verdict.type === "delivered") succeeded(lane);
    else if (isOpen(lane)) failed(lane, startedAt, now, Math.random(), this.#scale);
    const reason = verdict.type === "gone" ? "the endpoint answered 410 Gone" : hopeless;
    if (reason !== undefined && isOpen(lane)) {
      lane.waitUntil = Math.max(lane.waitUntil, now + longWaitMs); // until the event is there, or failed
      this.#disable(lane, job, reason).catch(this.#tools.fail);
      return;
    }
    switch (verdict.type) {
      case "delivered":
        this.#leave(lane, job);
        return this.#end(lane, job, "delivered");
      case "gone":
        this.#leave(lane, job);
        return this.#end(lane, job, "discarded");
      case "retry":
        this.#leave(lane, job);
        lane.waitUntil = Math.max(lane.waitUntil, verdict.endpointWaitsUntil);
        if (!isOpen(lane) || this.#isOver(job)) return this.#end(lane, job, "discarded");
        this.#park(lane, job, verdict.at);
        break;
      case "failed":
        this.#leave(lane, job);
        this.#end(lane, job, isOpen(lane) ? "failed" : "discarded");
        break;
      default:
        verdict satisfies never;
    }
    this.#moveAway(lane, now);
  }

  /** What waits in memory for an endpoint that is left alone for long goes to the table. */
  #moveAway(lane: Lane, now: number): void {
    if (lane.waitUntil <= now + longWaitMs) return;
    for (const job of [...lane.fresh.splice(0), ...lane.stored.splice(0)]) {
      this.#leave(lane, job);
      this.#park(lane, job, lane.waitUntil);
    }
  }

  /** The receiver is gone, or has been failing for days. The event first, then the record, so that a crash in between repeats both. */
  async #disable(lane: Lane, job: Job, reason: string): Promise<void> {
    try {
      await this.#watch.disable(lane.endpoint, job.eventId, reason);
      // Only the lane closes here; matching changes when the event comes by, so that a restart matches the same.
      if (isOpen(lane)) lane.endpoint = { ...lane.endpoint, status: "disabled" };
      this.#discard(lane, job);
      this.#empty(lane);
    } catch (error) {
      this.#tools.logger.warn(
        { error, endpoint: lane.id },
        "an endpoint that is gone could not be disabled yet",
      );
      this.#leave(lane, job);
      this.#park(lane, job, Date.now() + retryDisableMs);
    }
  }

  #tickAt(at: number): void {
    // By the clock that nobody sets: deadlines hang on it.
    const delayMs = Math.min(Math.max(at - Date.now(), 1), evictEveryMs);
    this.#alarm.at(performance.now() + delayMs);
  }

  #tick(): void {
    const now = Date.now();
    this.#sender.expire();
    this.#spill(now);
    this.#batches.close(performance.now());
    const waiting = [...this.#waiting];
    this.#waiting.clear(); // those that must wait on come back
    for (const lane of waiting) this.#sender.kick(lane);
    if (now - this.#evictedAt > evictEveryMs || now < this.#evictedAt) {
      this.#evictedAt = now;
      this.#lanes.evictIdle(now);
    }
    this.#dueLook
      .look(now)
      .then((looked) => looked && this.#tickAt(Date.now() + tickMs), this.#tools.fail);
    if (this.#tally.isDue(performance.now())) this.#window.flush().catch(this.#tools.fail);
    let next = this.#lanes.size > 0 ? now + evictEveryMs : Infinity;
    next = Math.min(next, now + this.#batches.nextIn(performance.now()));
    if (!this.#tally.isEmpty) next = now + countsWaitMs;
    for (const lane of this.#lanes) next = Math.min(next, Math.max(lane.nextDue, lane.waitUntil));
    const busy =
      this.#sender.active > 0 ||
      this.#waiting.size > 0 ||
      this.#window.slots.some((slot) => slot.unresolved.size > 0);
    if (busy) this.#tickAt(now + tickMs);
    else if (next < Infinity) this.#tickAt(Math.max(next, now + tickMs));
  }

  #spill(now: number): void {
    const before = performance.now() - spillAfterMs;
    for (const slot of this.#window.slots) {
      if (slot.openedAt > before) break;
      for (const job of slot.unresolved) {
        this.#window.record(job, "pending", now);
        const lane = this.#lanes.lane(job.endpointId, now);
        if (lane === undefined) continue;
        lane.rowsInMemory.add(job.id);
        lane.parks++;
        lane.behind = isOrdered(lane);
      }
    }
  }
}
