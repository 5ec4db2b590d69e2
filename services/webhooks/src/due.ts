import { isUnderWay } from "@heliograph/runtime";
import { batchOf } from "./batches.ts";
import { statusWithout, type Job } from "./job.ts";
import { isOpen, largestLimit, roomFor, wantsMore, type Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import type { LoadedRow, Store } from "./store.ts";
import type { DeliveryStatus } from "./tables/webhooks.ts";
import type { Window } from "./window.ts";

/** Batches of one endpoint that are read at once, with all that belongs to them. */
const maxBatches = 10;
/** A batch of which something is on its way by itself is looked for again after this. */
const partMs = 1_000;

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
  /** Most of the table's deliveries in memory, over all endpoints. */
  readonly #most: number;
  readonly #hears: DueHears;
  /** Endpoints whose rows are being read; undefined when none are. */
  #reading: readonly string[] | undefined;
  /** Deliveries of which a look that is under way may show an old state. */
  readonly #changed = new Set<string>();
  /** Replays of which a look that is under way may show deliveries that wait, though they were canceled. */
  readonly #canceled = new Set<string>();

  constructor(store: Store, lanes: Lanes, window: Window, most: number, hears: DueHears) {
    this.#store = store;
    this.#lanes = lanes;
    this.#window = window;
    this.#most = most;
    this.#hears = hears;
    // What is found goes to the lane that it was looked for.
    lanes.heldBy(() => this.#reading ?? []);
  }

  /** A delivery left memory. */
  left(id: string): void {
    if (this.#reading !== undefined) this.#changed.add(id);
  }

  /** A replay was canceled. */
  canceled(replay: string): void {
    if (this.#reading !== undefined) this.#canceled.add(replay);
  }

  /** False when there was nothing to look for. */
  async look(now: number): Promise<boolean> {
    if (this.#reading !== undefined || this.#hears.isStopping()) return false;
    const wanted = this.#wanted(now);
    if (wanted.length === 0) return false;
    const lanes = wanted.map(({ lane }) => lane);
    this.#reading = lanes.map(({ id }) => id);
    this.#changed.clear();
    for (const id of this.#window.unwritten()) this.#changed.add(id);
    this.#canceled.clear();
    for (const replay of this.#window.canceled()) this.#canceled.add(replay);
    try {
      for (const lane of lanes) lane.nextDue = Infinity; // what is written from here on lowers it again
      const rows = await this.#store.pending(
        wanted.map(({ lane, room }) => ({ id: lane.id, room })),
      );
      const batches = await this.#batchesOf(rows, now);
      if (this.#hears.isStopping()) return true;
      this.#takeAll(rows, now);
      this.#takeBatches(batches, now);
      const read = Map.groupBy(rows, ({ job }) => job.endpointId);
      for (const { lane, room } of wanted) {
        const mine = read.get(lane.id) ?? [];
        // The first due come first: there may be more, unless the last one waits.
        if (mine.length === room && !waits(mine.at(-1)!, now))
          lane.nextDue = Math.min(lane.nextDue, now);
        this.#hears.kick(lane);
      }
      await this.#endBehind(lanes.filter((lane) => lane.behind && !read.has(lane.id)));
    } finally {
      this.#reading = undefined;
    }
    return true;
  }

  /**
   * The lanes that may have more, and how much: what memory still takes of the table is shared alike. Where slow endpoints fill it, each of the others has what it can send at once, a half of that at a
   * time.
   */
  #wanted(now: number): readonly { readonly lane: Lane; readonly room: number }[] {
    const asking: Lane[] = [];
    let here = 0;
    for (const lane of this.#lanes) {
      here += lane.rowsInMemory.size;
      if (wantsMore(lane, now)) asking.push(lane);
    }
    const share = Math.floor((this.#most - here) / asking.length);
    const isTight = share < largestLimit;
    return asking
      .filter((lane) => !isTight || lane.rowsInMemory.size <= largestLimit / 2)
      .map((lane) => ({ lane, room: roomFor(lane, isTight ? largestLimit : share) }));
  }

  #takeAll(rows: readonly LoadedRow[], now: number): void {
    for (const row of rows) {
      const { job, body } = row;
      const lane = this.#lanes.lane(job.endpointId, now);
      if (lane === undefined || !this.#isHere(lane, job) || inBatch(lane, row)) continue;
      const end = this.#endOf(job);
      if (waits(row, now)) lane.nextDue = Math.min(lane.nextDue, row.nextAttemptAt);
      else if (end !== undefined) this.#window.record({ ...job, body: body ?? "" }, end);
      else if (body !== undefined) this.#hears.take(lane, { ...job, body });
    }
  }

  /** Whether a row is to be sent, by what is known of it in memory. */
  #isHere(lane: Lane, { id }: Pick<Job, "id">): boolean {
    return isOpen(lane) && !lane.rowsInMemory.has(id) && !this.#changed.has(id);
  }

  /** What a row that waits is instead, where it is not to be sent any more. */
  #endOf(job: Omit<Job, "body">): DeliveryStatus | undefined {
    if (this.#hears.isOver(job)) return "discarded";
    const isCanceled = job.replay !== undefined && this.#canceled.has(job.replay);
    return isCanceled ? statusWithout(job) : undefined;
  }

  /** All that belongs to the batches of which something is due: a batch is sent whole. */
  async #batchesOf(rows: readonly LoadedRow[], now: number): Promise<readonly LoadedRow[]> {
    const wanted = new Map<Lane, Set<string>>();
    for (const row of rows) {
      const lane = this.#lanes.lane(row.job.endpointId, now);
      if (lane === undefined || !this.#isHere(lane, row.job) || !inBatch(lane, row)) continue;
      const ids = wanted.get(lane) ?? new Set();
      wanted.set(lane, ids);
      if (waits(row, now)) lane.nextDue = Math.min(lane.nextDue, row.nextAttemptAt);
      else if (ids.size < maxBatches) ids.add(row.batch);
      else if (!ids.has(row.batch)) lane.nextDue = Math.min(lane.nextDue, now);
    }
    const ids = [...wanted.values()].flatMap((each) => [...each]);
    return ids.length === 0 ? [] : this.#store.batches(ids);
  }

  #takeBatches(rows: readonly LoadedRow[], now: number): void {
    const batches = Map.groupBy(rows, (row) => row.batch!);
    for (const [id, found] of batches) {
      const lane = this.#lanes.lane(found[0]!.job.endpointId, now);
      if (lane === undefined) continue;
      const here = found.filter(({ job }) => this.#isHere(lane, job));
      // Whole or not at all: what was asked for again leaves it soon, and where others have sealed it of what is in memory here too, a part of it under its id would be all that the receiver takes of it.
      if (here.length < found.length) {
        if (here.length > 0) lane.nextDue = Math.min(lane.nextDue, now + partMs);
        continue;
      }
      const jobs = here.flatMap(({ job, body }) => (body === undefined ? [] : [{ ...job, body }]));
      const rest: Job[] = [];
      for (const job of jobs) {
        const end = this.#endOf(job);
        if (end === undefined) rest.push(job);
        else this.#window.record(job, end);
      }
      if (rest.length > 0) this.#hears.take(lane, batchOf(rest, id));
    }
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

/** Whether it is too early for a row, whose time was found when it was written; of one of before, when its last attempt ended. */
function waits({ job, nextAttemptAt, setAt }: LoadedRow, now: number): boolean {
  const last = job.attempts.at(-1);
  const since =
    setAt ?? (last === undefined ? job.createdAt : Date.parse(last.at) + last.duration_ms);
  return isUnderWay(since, nextAttemptAt - since, now);
}

/** Whether a row is sent with others; those of an endpoint that takes batches no more go alone. */
const inBatch = (lane: Lane, row: LoadedRow): row is LoadedRow & { readonly batch: string } =>
  row.batch !== undefined && lane.endpoint.batch !== undefined;
