import { deterministicId } from "@heliograph/contracts";
import type { Endpoint } from "@heliograph/domain";
import { together, type Batch, type Gathering, type Job } from "./job.ts";
import { waitsLong, type Lane } from "./lane.ts";
import type { Window } from "./window.ts";

/**
 * `batch`: an endpoint gets several events in a request.
 *
 * New deliveries gather until there are enough of them or the first has waited for long enough. The batch is then sealed: each of its rows says that it belongs to it, and only once that is written
 * the request is sent. So it is the same deliveries under the same `webhook-id` at every attempt, whatever crashes. Each ends for itself; one that is retried by hand leaves the batch, which is
 * then a part of what the receiver may know under its id. What was sent alone before its endpoint took batches stays alone.
 */

/** Bodies together; one that is longer is a batch of its own. Many receivers take no more than a megabyte. */
const maxBytes = 512 * 1024;

/** Whether a delivery is to go with others. */
export const joinsBatch = (lane: Lane, job: Job): boolean =>
  lane.endpoint.batch !== undefined && job.batch === undefined && !job.urgent && job.tries === 0;

/** What is sent: an endpoint that takes batches gets nothing in another form. */
export const bodyOfRequest = (
  { batch }: Pick<Endpoint, "batch">,
  bodies: readonly string[],
): string =>
  batch === undefined && bodies.length === 1 ? bodies[0]! : `{"events":[${bodies.join(",")}]}`;

/** Makes deliveries a batch, which has an id already unless it is new. Gives the one that stands for all. */
export function batchOf(jobs: readonly Job[], id?: string): Job {
  const sorted = jobs.toSorted((left, right) => Number(left.position - right.position));
  const ids = sorted.map((job) => job.id);
  const batch = { id: id ?? deterministicId("whb", ...ids), jobs: sorted };
  for (const job of sorted) job.batch = batch;
  return sorted[0]!;
}

/** The endpoint takes no batches any more: each goes alone. */
function alone(job: Job): readonly Job[] {
  const jobs = together(job);
  for (const each of jobs) each.batch = undefined;
  return jobs;
}

export type BatchesHear = {
  /** The sandbox that it tells of was reset. */
  readonly isOver: (job: Job) => boolean;
  /** It goes from memory. */
  readonly leave: (lane: Lane, job: Job) => void;
  readonly park: (lane: Lane, job: Job, at: number) => void;
  readonly kick: (lane: Lane) => void;
  readonly closeIn: (ms: number) => void;
};

/** Gathers deliveries and seals batches. Whoever calls has taken them into memory. */
export class Batches {
  readonly #window: Window;
  readonly #hears: BatchesHear;
  /** Those with a batch that is not full. */
  readonly #lanes = new Set<Lane>();

  constructor(window: Window, hears: BatchesHear) {
    this.#window = window;
    this.#hears = hears;
  }

  join(lane: Lane, job: Job): void {
    const { max_events, max_wait_ms } = lane.endpoint.batch!;
    // What a request is marked with, and whose keys open its bodies, is the same for all.
    const key = `${job.partner} ${job.replay ?? ""}`;
    const bytes = Buffer.byteLength(job.body);
    let found = lane.gathering.get(key);
    if (found !== undefined && found.bytes + bytes > maxBytes) {
      this.#seal(lane, key, found);
      found = undefined;
    }
    if (found === undefined) {
      found = { jobs: [], bytes: 0, closesAt: performance.now() + max_wait_ms };
      lane.gathering.set(key, found);
      this.#lanes.add(lane);
      this.#hears.closeIn(max_wait_ms);
    }
    found.jobs.push(job);
    found.bytes += bytes;
    if (found.jobs.length >= max_events) this.#seal(lane, key, found);
  }

  /** Seals what has waited for long enough; `tick` by the clock that nobody sets. */
  close(tick: number): void {
    for (const lane of this.#lanes)
      for (const [key, found] of lane.gathering)
        if (found.closesAt <= tick) this.#seal(lane, key, found);
  }

  /** In how many ms something is to be sealed; Infinity when nothing gathers. */
  nextIn(tick: number): number {
    let next = Infinity;
    for (const lane of this.#lanes)
      for (const { closesAt } of lane.gathering.values()) next = Math.min(next, closesAt - tick);
    return next;
  }

  /** A pending row that says that it belongs to a batch is written: the batch may be sent. */
  written(lane: Lane, batch: Batch): void {
    if (!lane.sealing.delete(batch)) return;
    const first = batch.jobs[0]!;
    if (this.#hears.isOver(first)) {
      this.#hears.leave(lane, first);
      for (const job of batch.jobs) this.#window.record(job, "discarded");
    } else lane.fresh.push(...(lane.endpoint.batch === undefined ? alone(first) : [first]));
    this.#hears.kick(lane);
  }

  /** The endpoint may take no batches any more. */
  loosen(lane: Lane): void {
    if (lane.endpoint.batch !== undefined) return;
    for (const queue of [lane.fresh, lane.stored])
      for (const job of queue.splice(0)) queue.push(...alone(job));
    for (const { jobs } of lane.gathering.values()) lane.fresh.push(...jobs);
    lane.gathering.clear();
    this.#lanes.delete(lane);
  }

  /** The endpoint is gone, or a replay was canceled: gives what gathered for it, and what was about to be sent. */
  drop(lane: Lane, replay?: string): readonly Job[] {
    const isDropped = (job: Job): boolean => replay === undefined || job.replay === replay;
    const dropped: Job[] = [];
    for (const [key, { jobs }] of lane.gathering)
      if (isDropped(jobs[0]!)) {
        dropped.push(...jobs);
        lane.gathering.delete(key);
      }
    for (const batch of lane.sealing)
      if (isDropped(batch.jobs[0]!)) {
        dropped.push(batch.jobs[0]!);
        lane.sealing.delete(batch);
      }
    if (lane.gathering.size === 0) this.#lanes.delete(lane);
    return dropped;
  }

  #seal(lane: Lane, key: string, { jobs }: Gathering): void {
    lane.gathering.delete(key);
    if (lane.gathering.size === 0) this.#lanes.delete(lane);
    const now = Date.now();
    if (this.#hears.isOver(jobs[0]!) || waitsLong(lane, now)) {
      for (const job of jobs) {
        this.#hears.leave(lane, job);
        if (this.#hears.isOver(job)) this.#window.record(job, "discarded");
        else this.#hears.park(lane, job, Math.max(now, lane.waitUntil));
      }
      return;
    }
    lane.sealing.add(batchOf(jobs).batch!);
    for (const job of jobs) {
      lane.rowsInMemory.add(job.id);
      this.#window.record(job, "pending", now);
    }
  }
}
