import type { Job } from "./job.ts";
import { isHealthy, isOpen, maxStored, type Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import type { Store } from "./store.ts";
import type { Window } from "./window.ts";

/** More due deliveries are read when an endpoint has no more than this of them left in memory. */
export const refillBelow = 64;

export type DueHears = {
  readonly isOver: (job: Pick<Job, "partner">) => boolean;
  readonly take: (lane: Lane, job: Job) => void;
  readonly kick: (lane: Lane) => void;
  readonly isStopping: () => boolean;
};

/** Brings pending deliveries back from the table when they are due: one query for all endpoints that have something due and room for it. */
export class DueLook {
  readonly #store: Store;
  readonly #lanes: Lanes;
  readonly #window: Window;
  readonly #hears: DueHears;
  #looking = false;
  /** Deliveries of which a look that is under way may show an old state. */
  readonly #changed = new Set<string>();

  constructor(store: Store, lanes: Lanes, window: Window, hears: DueHears) {
    this.#store = store;
    this.#lanes = lanes;
    this.#window = window;
    this.#hears = hears;
  }

  /** A delivery left memory. */
  left(id: string): void {
    if (this.#looking) this.#changed.add(id);
  }

  /** False when there was nothing to look for. */
  async look(now: number): Promise<boolean> {
    if (this.#looking || this.#hears.isStopping()) return false;
    const lanes = [...this.#lanes].filter((lane) => wantsMore(lane, now));
    if (lanes.length === 0) return false;
    this.#looking = true;
    this.#changed.clear();
    for (const id of this.#window.unwritten()) this.#changed.add(id);
    try {
      const wanted = lanes.map((lane) => ({
        id: lane.id,
        room: (isHealthy(lane) ? maxStored : 1) + lane.rowsInMemory.size + 1,
      }));
      for (const lane of lanes) lane.nextDue = Infinity; // what is written from here on lowers it again
      const rows = await this.#store.pending(wanted);
      if (this.#hears.isStopping()) return true;
      const counts = this.#takeAll(rows, now);
      for (const [index, lane] of lanes.entries()) {
        const full = counts.get(lane.id) === wanted[index]!.room;
        if (full) lane.nextDue = Math.min(lane.nextDue, now); // there may be more
        this.#hears.kick(lane);
      }
      await this.#endBehind(lanes.filter((lane) => lane.behind && !counts.has(lane.id)));
    } finally {
      this.#looking = false;
    }
    return true;
  }

  /** Gives how many rows each endpoint had. */
  #takeAll(rows: Awaited<ReturnType<Store["pending"]>>, now: number): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const row of rows) {
      const { job, body } = row;
      counts.set(job.endpointId, (counts.get(job.endpointId) ?? 0) + 1);
      const lane = this.#lanes.lane(job.endpointId, now);
      const elsewhere = lane?.rowsInMemory.has(job.id) || this.#changed.has(job.id);
      if (lane === undefined || !isOpen(lane) || elsewhere) continue;
      if (row.nextAttemptAt > now) lane.nextDue = Math.min(lane.nextDue, row.nextAttemptAt);
      else if (this.#hears.isOver(job))
        this.#window.record({ ...job, body: body ?? "" }, "discarded");
      else if (body !== undefined) this.#hears.take(lane, { ...job, body });
    }
    return counts;
  }

  /** An ordered endpoint of which nothing is pending in the table, nor on its way there, goes on in memory. */
  async #endBehind(lanes: readonly Lane[]): Promise<void> {
    if (lanes.length === 0) return;
    const unwritten = this.#window.endpointsUnwritten();
    const parks = new Map(lanes.map((lane) => [lane, lane.parks]));
    const pending = await this.#store.withPending(lanes.map((lane) => lane.id));
    for (const lane of lanes)
      if (!pending.has(lane.id) && !unwritten.has(lane.id) && lane.parks === parks.get(lane))
        lane.behind = false;
  }
}

const wantsMore = (lane: Lane, now: number): boolean =>
  lane.nextDue <= now &&
  lane.waitUntil <= now &&
  lane.stored.length <= (isHealthy(lane) ? refillBelow : 0) &&
  isOpen(lane);
