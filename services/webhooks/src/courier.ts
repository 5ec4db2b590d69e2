import { shardPart, webhookAnswerMs } from "@heliograph/contracts";
import { createAlarm, type ReactorTools, watchSetBack } from "@heliograph/runtime";
import { activeTracing } from "@heliograph/tracing";
import { dialAs, type DialOptions, type DialTarget } from "@heliograph/api";
import type { Attempt } from "./attempt.ts";
import { Connections, type Carrier } from "./connections.ts";
import { DueLook } from "./due.ts";
import { maxAttemptsKept, together, type Batch, type Job, type Slot } from "./job.ts";
import { askedAgain, failed, isOpen, longWaitMs, setBack, succeeded, type Lane } from "./lane.ts";
import type { Health } from "./health.ts";
import { dissolve, isOrdered } from "./order.ts";
import { evictEveryMs, type Lanes } from "./lanes.ts";
import { Memory } from "./memory.ts";
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
  /** What carries an endpoint's requests, in a simulation. */
  readonly connect?: (target: DialTarget) => Carrier;
  /** From [0, 1). */
  readonly random?: () => number;
};

/** What is not on record after so long becomes a pending row, so that the checkpoint moves however slow an endpoint is. */
const spillAfterMs = 1_000;
const tickMs = 50;
/** A delivery whose endpoint could not be disabled because the log was away is tried again after this. */
const retryDisableMs = 5_000;
/** Counts of attempts that nothing else was written with. */
const countsWaitMs = 1_000;
/** Most deliveries in memory over all endpoints; above it new ones go straight to the table. */
const maxInMemory = 20_000;
/** Most of them that were read from the table: what is new finds room all the same. */
const maxStoredInMemory = 10_000;
/** Requests in the air over all endpoints. */
const maxActive = 512;

/**
 * Carries deliveries from the batch they came in to their end: sends them through their endpoint's lane, judges the result, puts it on record, and brings
 * pending ones back from the table when they are due. One timer serves deadlines, spilling, due rows and waiting endpoints; it rests when nothing waits.
 */
export class Courier {
  readonly memory: Memory;
  readonly #tools: ReactorTools;
  readonly #store: Store;
  readonly #lanes: Lanes;
  readonly #window: Window;
  readonly #tally: Tally;
  readonly #watch: Watch;
  readonly #sender: Sender;
  readonly #scale: number;
  readonly #random: () => number;
  readonly #metrics: DeliveryMetrics;
  /** Lanes that only time can move. */
  readonly #waiting = new Set<Lane>();
  /** Deliveries whose attempt is over and whose endpoint is being disabled for it. */
  readonly #disabling = new Set<Job>();
  readonly #forgetDirectory: () => void;
  readonly #dueLook: DueLook;
  readonly #alarm = createAlarm(
    () => this.#tick(),
    () => performance.now(),
  );
  readonly #setBackMs = watchSetBack();
  /** By `performance.now()`. */
  #lookedAt = performance.now();
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
    this.#random = options.random ?? Math.random;
    this.#metrics = deliveryMetrics(tools.context.environment, {
      inMemory: () => this.memory.size,
      pending: () => this.#store.countPending(),
    });
    lanes.heldBy(() => window.endpointsUnwritten());
    lanes.heldBy(() => [...this.#disabling].map(({ endpointId }) => endpointId));
    this.#dueLook = new DueLook(
      store,
      lanes,
      window,
      shardPart(maxStoredInMemory, tools.shard, 1_000),
      {
        isOver: (job) => this.#isOver(job),
        take: (lane, job) => this.memory.take(lane, job, lane.stored),
        kick: (lane) => this.#sender.kick(lane),
        isStopping: () => this.#stopping,
      },
    );
    this.memory = new Memory(window, shardPart(maxInMemory, tools.shard, 2_000), {
      isOver: (job) => this.#isOver(job),
      left: (id) => this.#dueLook.left(id),
      kick: (lane) => this.#sender.kick(lane),
      tickIn: (ms) => this.#tickAt(Date.now() + ms),
      isStopping: () => this.#stopping,
    });
    this.#forgetDirectory = tools.context.directory.onChange(() => this.#dropOver());
    const { deadlineMs = webhookAnswerMs } = options;
    const dial = dialAs(settings, options, deadlineMs);
    this.#sender = new Sender({
      connect: options.connect ?? ((target) => new Connections(dial, target)),
      deadlineMs,
      maxActive: shardPart(maxActive, tools.shard, 128),
      now: () => this.now(),
      open: tools.context.vault.openJson,
      onDone: (lane, job, result, attempt) => this.#finished(lane, job, result, attempt),
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
    this.memory.forgetLeft();
    const now = this.now();
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
        slot.unresolved.delete(job);
        lane.again.set(job.id, job);
      } else if (this.memory.place(lane, job, now)) touched.add(lane);
    }
    for (const lane of touched) this.#sender.kick(lane);
    if (slot.unresolved.size > 0) this.#tickAt(now + tickMs);
  }

  /** A delivery stands in the table as pending, and with what it goes. One that is in memory too is sent from there: the table need not be read for it. */
  onRecord(job: Job, at: number, batch: Batch | undefined): void {
    const lane = this.#lanes.open(job.endpointId);
    if (lane !== undefined && batch !== undefined) this.memory.batches.written(lane, batch);
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
    this.memory.batches.loosen(lane);
    this.#sender.kick(lane);
  }

  /** A replay was canceled: what waits for it is over, and what is in the air is its last attempt. */
  canceled(endpointId: string, replay: string): void {
    this.#window.cancel(replay);
    this.#dueLook.canceled(replay);
    const lane = this.#lanes.open(endpointId);
    if (lane === undefined) return;
    this.memory.cancel(lane, replay);
    this.#sender.last(lane, replay);
    for (const job of this.#disabling)
      if (job.replay === replay) for (const each of together(job)) each.canceled = true;
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
        for (const job of slot.unresolved) this.#putOff(job, now);
      await this.#window
        .flush()
        .catch((error: unknown) =>
          this.#tools.logger.warn({ error }, "deliveries in flight will be sent again"),
        );
    }
    this.#window.close();
    this.#lanes.close();
  }

  /** An endpoint keeps the order of subjects no more: all that was held may be sent. */
  loosened(endpointId: string): void {
    this.#window.loosen(endpointId, Date.now());
    const lane = this.#lanes.open(endpointId);
    if (lane === undefined) return;
    this.memory.loosen(lane);
    this.#sender.kick(lane);
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
          else for (const over of [job, ...dissolve(lane, job)]) this.memory.discard(lane, over);
    }
  }

  /** The endpoint is gone: nothing more is sent, what waited is discarded. Rows in the table are discarded by the write that closes the endpoint. */
  #empty(lane: Lane): void {
    this.memory.empty(lane);
    this.#sender.abort(lane, "endpoint_closed", "the endpoint was disabled or deleted");
    lane.nextDue = Infinity;
  }

  #finished(lane: Lane, job: Job, result: Result, flown: Attempt): void {
    const now = this.now();
    if (result.type === "error" && result.code === "shutdown") {
      if (job.slot !== undefined) this.#window.record(job, "pending", now);
      return this.memory.leave(lane, job);
    }
    const attempt = attemptOf(result, job, flown, now);
    for (const each of together(job)) {
      each.attempts = [...each.attempts, attempt].slice(-maxAttemptsKept);
      each.tries++;
    }
    const again = askedAgain(lane, job);
    const verdict = judge(result, job.tries, now, this.#random(), this.#scale);
    const traced = activeTracing() === undefined ? undefined : job.traceparent;
    this.#metrics.attempt(verdict.type, attempt.duration_ms, traced);
    const outcome = outcomeOf(result);
    const hopeless =
      outcome === undefined
        ? undefined
        : this.#watch.ended(lane, outcome, attempt.duration_ms, now);
    if (verdict.type === "delivered") succeeded(lane);
    else if (isOpen(lane)) failed(lane, flown.startedAt, now, this.#random(), this.#scale);
    const reason = verdict.type === "gone" ? "the endpoint answered 410 Gone" : hopeless;
    if (reason !== undefined && isOpen(lane)) {
      lane.waitUntil = Math.max(lane.waitUntil, now + longWaitMs); // until the event is there, or failed
      this.#disable(lane, job, again, reason).catch(this.#tools.fail);
      return;
    }
    switch (verdict.type) {
      case "delivered":
        this.memory.leave(lane, job);
        return this.memory.end(lane, job, "delivered");
      case "gone":
        this.memory.leave(lane, job);
        return this.memory.end(lane, job, "discarded");
      case "retry":
        this.memory.leave(lane, job);
        lane.waitUntil = Math.max(lane.waitUntil, verdict.endpointWaitsUntil);
        if (!isOpen(lane) || this.#isOver(job)) return this.memory.end(lane, job, "discarded");
        this.memory.park(lane, job, verdict.at);
        break;
      case "failed":
        this.memory.leave(lane, job);
        this.memory.end(lane, job, isOpen(lane) ? "failed" : "discarded");
        break;
      default:
        verdict satisfies never;
    }
    this.#moveAway(lane, now);
    if (isOpen(lane)) this.memory.takeAgain(lane, again);
  }

  /** What waits in memory for an endpoint that is left alone for long goes to the table. */
  #moveAway(lane: Lane, now: number): void {
    if (lane.waitUntil <= now + longWaitMs) return;
    for (const job of [...lane.fresh.splice(0), ...lane.stored.splice(0)]) {
      this.memory.leave(lane, job);
      this.memory.park(lane, job, lane.waitUntil);
    }
  }

  /** The receiver is gone, or has been failing for days. The event first, then the record, so that a crash in between repeats both. `again`: what was asked for meanwhile. */
  async #disable(lane: Lane, job: Job, again: readonly Job[], reason: string): Promise<void> {
    this.#disabling.add(job);
    const known = this.#lanes.endpoint(lane.id);
    try {
      await this.#watch.disable(lane.endpoint, job.eventId, reason);
      // Only the lane closes here; matching changes when the event comes by, so that a restart matches the same. What came by already is newer: the endpoint may have been opened again.
      if (known !== undefined && this.#lanes.endpoint(lane.id) === known)
        lane.endpoint = { ...known, status: "disabled" };
      this.memory.leave(lane, job);
      this.memory.end(lane, job, "discarded");
      if (isOpen(lane)) this.memory.takeAgain(lane, askedAgain(lane, job));
      else this.#empty(lane);
    } catch (error) {
      this.#tools.logger.warn(
        { error, endpoint: lane.id },
        "an endpoint that is gone could not be disabled yet",
      );
      this.memory.leave(lane, job);
      if (!isOpen(lane)) return this.memory.end(lane, job, "discarded");
      this.memory.park(lane, job, Date.now() + retryDisableMs);
      this.memory.takeAgain(lane, [...again, ...askedAgain(lane, job)]);
    } finally {
      this.#disabling.delete(job);
    }
  }

  /** Epoch ms. A clock that was set back is noticed before anything is held against a time of before. */
  now(): number {
    const now = Date.now();
    const [tick, before] = [performance.now(), this.#lookedAt];
    const byMs = Math.floor(this.#setBackMs());
    this.#lookedAt = tick;
    if (byMs > 0) {
      for (const lane of this.#lanes) setBack(lane, byMs);
      const endpointIds = [...this.#lanes].map(({ id }) => id);
      const lookedAt = Math.floor(now - (tick - before)) - 1_000;
      this.#window.setBack({ endpointIds, now, byMs, lookedAt });
      this.#tickAt(now);
    }
    return now;
  }

  #tickAt(at: number): void {
    // By the clock that nobody sets: deadlines hang on it.
    const delayMs = Math.min(Math.max(at - Date.now(), 1), evictEveryMs);
    this.#alarm.at(performance.now() + delayMs);
  }

  #tick(): void {
    const now = this.now();
    this.#sender.expire();
    this.#spill(now);
    this.memory.batches.close(performance.now());
    const waiting = [...this.#waiting];
    this.#waiting.clear(); // those that must wait on come back
    for (const lane of waiting) this.#sender.kick(lane);
    this.#lanes.evictIdle(now);
    this.#dueLook
      .look(now)
      .then((looked) => looked && this.#tickAt(Date.now() + tickMs), this.#tools.fail);
    if (this.#tally.isDue(performance.now())) this.#window.flush().catch(this.#tools.fail);
    let next = this.#lanes.size > 0 ? now + evictEveryMs : Infinity;
    if (!this.#tally.isEmpty) next = now + countsWaitMs;
    next = Math.min(next, now + this.memory.batches.nextIn(performance.now()));
    for (const lane of this.#lanes) next = Math.min(next, Math.max(lane.nextDue, lane.waitUntil));
    const busy =
      this.#sender.active > 0 ||
      this.#waiting.size > 0 ||
      this.#window.slots.some((slot) => slot.unresolved.size > 0);
    if (busy) this.#tickAt(now + tickMs);
    else if (next < Infinity) this.#tickAt(Math.max(next, now + tickMs));
  }

  /** On record as pending; where the endpoint was closed while an attempt ended, the write that closes it does not see this any more. */
  #putOff(job: Job, now: number): Lane | undefined {
    const lane = this.#lanes.lane(job.endpointId, now);
    const waits = lane !== undefined && isOpen(lane);
    this.#window.record(job, waits ? "pending" : "discarded", waits ? now : undefined);
    return waits ? lane : undefined;
  }

  #spill(now: number): void {
    const before = performance.now() - spillAfterMs;
    for (const slot of this.#window.slots) {
      if (slot.openedAt > before) break;
      for (const job of slot.unresolved) {
        const lane = this.#putOff(job, now);
        if (lane === undefined) continue;
        lane.rowsInMemory.add(job.id);
        lane.parks++;
        lane.behind = isOrdered(lane);
      }
    }
  }
}
