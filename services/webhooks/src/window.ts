import { failpoint } from "@heliograph/contracts";
import { CommitWindow, type Checkpoint, type WritePart } from "@heliograph/runtime";
import type { DeliveryStatus } from "./tables/webhooks.ts";
import type { Job, Row, Slot } from "./job.ts";
import type { Health } from "./health.ts";
import type { Tally } from "./tally.ts";
import {
  discardPending,
  duePending,
  forgetFailing,
  writeCounters,
  writeDeliveries,
  writeEndpoints,
  writeNotices,
} from "./store.ts";

/** Who is told what the table shows once it is written. Times in epoch ms. */
export type WindowHears = {
  readonly pending: (job: Job, at: number) => void;
  /** What waited for an endpoint may be sent. */
  readonly moved: (endpointId: string, at: number) => void;
};

/** What one commit writes beside deliveries. */
type Changes = Pick<Slot, "endpoints" | "counters" | "closed" | "moved" | "notices">;
const noChanges = (): Changes => ({
  endpoints: new Map(),
  counters: new Map(),
  closed: new Map(),
  moved: new Map(),
  notices: [],
});

export const newSlot = (position: bigint, openedAt: number): Slot => ({
  position,
  openedAt,
  unresolved: new Set(),
  ...noChanges(),
});

/** Rows of one statement. */
const maxRowsPerCommit = 1_000;
/** Results wait this long for company, so that a burst shares commits: 50 a second at most, and a kill repeats no more than 20 ms of sending, */
const rowsIntervalMs = 20;
/** or of so few results as come in 20 ms of a middling load, which wait longer: ten commits a second. */
const fewRows = 20;
const fewRowsIntervalMs = 100;
/** A floor that moves without anything to record can wait longer: nothing is lost when it is not written. */
const floorIntervalMs = 200;
/**
 * Above these the next batch has to wait. A receiver that does not answer holds every slot with a delivery of its own for a second, until that is
 * on record as pending: the slots of more than a second have to fit, or it holds up the deliveries of all others.
 */
const maxSlots = 2_000;
const maxUnwritten = 5_000;

/**
 * Between the log and the checkpoint. A batch of the log becomes a slot; the checkpoint (the floor) moves past a slot once each of its deliveries is on
 * record, finished or pending. So each delivery costs one row written once: attempted first, recorded after. After a crash the events above the floor
 * are looked at again, and what is on record is passed over; what was sent but not recorded is sent again under the same id.
 */
export class Window {
  readonly #checkpoint: Checkpoint;
  readonly #tally: Tally;
  readonly #health: Health;
  readonly #hears: WindowHears;
  readonly #slots: Slot[] = [];
  #rows = new Map<string, Row>();
  readonly #beingWritten = new Set<readonly Row[]>();
  readonly #commits: CommitWindow;

  constructor(
    checkpoint: Checkpoint,
    fail: (error: unknown) => void,
    tally: Tally,
    health: Health,
    hears: WindowHears,
  ) {
    this.#checkpoint = checkpoint;
    this.#tally = tally;
    this.#health = health;
    this.#hears = hears;
    this.#commits = new CommitWindow({
      fail,
      dueAt: (writtenAt) => this.#dueAt(writtenAt),
      write: (all) => this.#write(all),
    });
  }

  /** Resolves when another batch may come: back-pressure. Throws what a write failed with. */
  room(): Promise<void> {
    return this.#commits.room(
      () => this.#slots.length >= maxSlots || this.#rows.size >= maxUnwritten,
    );
  }

  push(slot: Slot): void {
    this.#slots.push(slot);
    this.#commits.touch();
  }

  /** Slots that are still open, oldest first. */
  get slots(): readonly Slot[] {
    return this.#slots;
  }

  /** Puts where a delivery stands on record; a later call before the write replaces an earlier one. */
  record(job: Job, status: DeliveryStatus, nextAttemptAt?: number): void {
    this.#rows.set(job.id, { job, status, attempts: job.attempts, nextAttemptAt });
    job.slot?.unresolved.delete(job);
    job.slot = undefined;
    job.stored = true;
    this.#commits.touch();
  }

  /** Deliveries of which the table may not show the newest state yet: their rows wait to be written or are being written. */
  *unwritten(): Generator<string> {
    yield* this.#rows.keys();
    for (const rows of this.#beingWritten) for (const row of rows) yield row.job.id;
  }

  /** What waits to be written as pending for an endpoint that closed is discarded instead. */
  discard(endpointId: string): void {
    for (const [id, row] of this.#rows)
      if (row.job.endpointId === endpointId && row.status === "pending")
        this.#rows.set(id, { ...row, status: "discarded", nextAttemptAt: undefined });
  }

  /** What waits to be written as pending for an endpoint that moved is due at once. */
  due(endpointId: string, now: number): void {
    for (const [id, row] of this.#rows)
      if (row.job.endpointId === endpointId && row.status === "pending")
        this.#rows.set(id, { ...row, nextAttemptAt: Math.min(row.nextAttemptAt ?? now, now) });
  }

  /** Writes what there is and waits for it. */
  flush(): Promise<void> {
    return this.#commits.flush();
  }

  close(): void {
    this.#commits.close();
  }

  #dueAt(writtenAt: number): number | undefined {
    const first = this.#slots[0];
    const floorMoves = first !== undefined && first.unresolved.size === 0;
    if (this.#rows.size === 0 && !floorMoves) return undefined;
    return writtenAt + this.#intervalMs(floorMoves && first.endpoints.size > 0);
  }

  #intervalMs(changesEndpoints: boolean): number {
    if (changesEndpoints || this.#rows.size >= fewRows) return rowsIntervalMs;
    return this.#rows.size > 0 ? fewRowsIntervalMs : floorIntervalMs;
  }

  /** `all`: counts too, whenever the last ones were written. */
  async #write(all: boolean): Promise<void> {
    let position = this.#checkpoint.position;
    const changes = noChanges();
    const { endpoints, counters, closed, moved, notices } = changes;
    while (this.#slots[0]?.unresolved.size === 0) {
      const slot = this.#slots.shift()!;
      if (slot.position > position) position = slot.position;
      for (const [id, change] of slot.endpoints)
        endpoints.set(id, { ...change, position: endpoints.get(id)?.position ?? change.position });
      for (const [partner, sequence] of slot.counters) counters.set(partner, sequence);
      for (const [id, at] of slot.closed) closed.set(id, at);
      for (const [id, at] of slot.moved) moved.set(id, at);
      notices.push(...slot.notices);
    }
    const rows = [...this.#rows.values()];
    this.#rows = new Map();
    this.#beingWritten.add(rows);
    const now = Date.now();
    try {
      await this.#commit(position, rows, changes, now, all);
    } finally {
      this.#beingWritten.delete(rows);
    }
    for (const row of rows)
      if (row.status === "pending") this.#hears.pending(row.job, row.nextAttemptAt ?? 0);
    for (const id of moved.keys()) this.#hears.moved(id, now);
  }

  async #commit(
    position: bigint,
    rows: readonly Row[],
    { endpoints, counters, closed, moved, notices }: Changes,
    now: number,
    all: boolean,
  ): Promise<void> {
    if (rows.length > 0) await failpoint("webhooks.before_record");
    let written = 0;
    for (; rows.length - written > maxRowsPerCommit; written += maxRowsPerCommit) {
      const chunk = rows.slice(written, written + maxRowsPerCommit);
      await this.#checkpoint.commit(this.#checkpoint.position, [writeDeliveries(chunk)]);
    }
    const last = rows.slice(written);
    const ids = last.map((row) => row.job.id);
    const parts: WritePart[] = [];
    if (last.length > 0) parts.push(writeDeliveries(last));
    if (endpoints.size > 0) parts.push(writeEndpoints([...endpoints.values()]));
    if (counters.size > 0) parts.push(writeCounters(counters));
    if (notices.length > 0) parts.push(writeNotices(notices));
    const other = new Set([...closed.keys(), ...moved.keys()]);
    if (other.size > 0) parts.push(forgetFailing([...other]));
    // No row may be changed by two parts of a statement; an endpoint that closed after it moved has nothing that waits.
    if (closed.size > 0) parts.push(discardPending(closed, ids));
    for (const id of closed.keys()) moved.delete(id);
    if (moved.size > 0) parts.push(duePending(moved, ids, now));
    const tick = performance.now();
    if (all || this.#tally.isDue(tick))
      parts.push(...this.#tally.take(now, tick), ...this.#health.take(other));
    if (parts.length === 0 && position === this.#checkpoint.position) return;
    await this.#checkpoint.commit(position, parts);
    if (rows.length > 0) await failpoint("webhooks.after_record");
  }
}
