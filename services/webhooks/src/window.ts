import { failpoint } from "@heliograph/contracts";
import { CommitWindow, type Checkpoint, type WritePart } from "@heliograph/runtime";
import type { SetBack } from "./tables/set-at.ts";
import type { DeliveryStatus } from "./tables/webhooks.ts";
import { statusWithout, type Batch, type Job, type Row, type Slot } from "./job.ts";
import type { Health } from "./health.ts";
import type { Tally } from "./tally.ts";
import {
  cancelReplays,
  discardPending,
  dueHeld,
  duePending,
  forgetFailing,
  releaseNext,
  type SubjectOfEndpoint,
  writeCounters,
  writeDeliveries,
  writeEndpoints,
  writeNotices,
} from "./store.ts";

/** Who is told what the table shows once it is written. Times in epoch ms. */
export type WindowHears = {
  readonly pending: (job: Job, at: number, batch: Batch | undefined) => void;
  /** What waited for an endpoint may be sent. */
  readonly moved: (endpointId: string, at: number) => void;
  /** Whether the first of a subject in the table is the first of all: nothing of it is under way from memory, and its endpoint keeps order. */
  readonly mayRelease: (endpointId: string, subject: string) => boolean;
  /** Subjects of which the table has a delivery that waits for one of these replays. */
  readonly subjectsOf: (replays: readonly string[]) => Promise<readonly SubjectOfEndpoint[]>;
  /** Subjects of which the table has a delivery that waits for one of these endpoints. */
  readonly waitingFor: (endpointIds: readonly string[]) => Promise<readonly SubjectOfEndpoint[]>;
  /** Resolves when what the table has for these endpoints knows that the clock was set back. */
  readonly setBack: (endpointIds: readonly string[], back: SetBack) => Promise<void>;
  /** Epoch ms. Whoever hears first that the clock was set back is told so before. */
  readonly now: () => number;
};

type SetBackOf = SetBack & { readonly endpointIds: readonly string[] };

/** What one commit writes beside deliveries. */
type Changes = Pick<
  Slot,
  "endpoints" | "counters" | "closed" | "moved" | "loosened" | "notices" | "canceled"
>;
const noChanges = (): Changes => ({
  endpoints: new Map(),
  counters: new Map(),
  closed: new Map(),
  moved: new Map(),
  loosened: new Map(),
  notices: [],
  canceled: new Map(),
});

export const newSlot = (position: bigint, openedAt: number): Slot => ({
  position,
  openedAt,
  unresolved: new Set(),
  ...noChanges(),
});

const endpointsOf = ({ closed, moved, loosened, canceled }: Changes): readonly string[] => [
  ...closed.keys(),
  ...moved.keys(),
  ...loosened.keys(),
  ...canceled.values(),
];

/** Rows of one statement. */
const maxRowsPerCommit = 1_000;
/** Rows by the statements that they go in. A batch goes in one: whoever reads the table between two would take what he finds of it for all of it. */
function chunksOf(rows: readonly Row[]): (readonly Row[])[] {
  if (rows.length <= maxRowsPerCommit) return [rows];
  const chunks: Row[][] = [[]];
  for (const [batch, own] of Map.groupBy(rows, (row) => row.batch?.id))
    for (const part of batch === undefined ? own.map((row) => [row]) : [own]) {
      const last = chunks.at(-1)!;
      if (last.length + part.length <= maxRowsPerCommit) last.push(...part);
      else chunks.push([...part]);
    }
  return chunks;
}

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
  /** What the commit that is under way writes of endpoints, until what follows from it is known. */
  #beingChanged = noChanges();
  /** Subjects of ordered endpoints of which the next may be due, by endpoint. */
  readonly #releases = new Map<string, Set<string>>();
  /** Endpoints of which that is being written. */
  #releasing: readonly string[] = [];
  /** Replays that were canceled, and for which the table may show deliveries that wait. */
  readonly #canceled = new Set<string>();
  /** The clock was set back, and what the table has for these endpoints does not know it yet. */
  #backs: SetBackOf[] = [];
  /** Up to here the log was read. */
  #handled: bigint;
  readonly #commits: CommitWindow;

  constructor(
    checkpoint: Checkpoint,
    fail: (error: unknown) => void,
    tally: Tally,
    health: Health,
    hears: WindowHears,
  ) {
    this.#checkpoint = checkpoint;
    this.#handled = checkpoint.position;
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
    this.#handled = slot.position;
    this.#commits.touch();
  }

  /** Slots that are still open, oldest first. */
  get slots(): readonly Slot[] {
    return this.#slots;
  }

  /** Puts where a delivery stands on record; a later call before the write replaces an earlier one. */
  record(job: Job, status: DeliveryStatus, nextAttemptAt?: number): void {
    const end = status === "pending" && job.canceled ? statusWithout(job) : undefined;
    this.#rows.set(job.id, {
      job,
      status: end ?? status,
      attempts: job.attempts,
      nextAttemptAt: job.held || end !== undefined ? undefined : nextAttemptAt,
      batch: job.batch,
    });
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

  /** Endpoints of which the table may not show everything yet, or of which what is written is not heard of. */
  endpointsUnwritten(): ReadonlySet<string> {
    const rows = [...this.#rows.values(), ...[...this.#beingWritten].flat()];
    const endpoints = rows.map((row) => row.job.endpointId);
    const changes = [...this.#slots, this.#beingChanged].flatMap(endpointsOf);
    return new Set([...endpoints, ...changes, ...this.#releases.keys(), ...this.#releasing]);
  }

  /** Once all that is on record by now is written, the first that waits of a subject is due. */
  release({ endpointId, subject }: Pick<Job, "endpointId" | "subject">): void {
    if (subject === undefined) return;
    const subjects = this.#releases.get(endpointId) ?? new Set();
    this.#releases.set(endpointId, subjects.add(subject));
    this.#commits.touch();
  }

  /** What waits to be written as pending for an endpoint that closed is discarded instead. */
  discard(endpointId: string): void {
    for (const [id, row] of this.#rows)
      if (row.job.endpointId === endpointId && row.status === "pending")
        this.#rows.set(id, { ...row, status: "discarded", nextAttemptAt: undefined });
  }

  /** What waits to be written as pending for an endpoint that moved is due at once, but for what is held. */
  due(endpointId: string, now: number): void {
    for (const [id, row] of this.#rows)
      if (row.job.endpointId === endpointId && row.status === "pending" && !row.job.held)
        this.#rows.set(id, { ...row, nextAttemptAt: Math.min(row.nextAttemptAt ?? now, now) });
  }

  /** What waits to be written as pending for a replay that was canceled is over instead. */
  cancel(replay: string): void {
    this.#canceled.add(replay);
    for (const [id, row] of this.#rows)
      if (row.job.replay === replay && row.status === "pending")
        this.#rows.set(id, { ...row, status: statusWithout(row.job), nextAttemptAt: undefined });
  }

  /** Replays that were canceled, of which the table may not show it yet. */
  canceled(): ReadonlySet<string> {
    return this.#canceled;
  }

  /** What waits to be written as held for an endpoint that keeps order no more is due. */
  loosen(endpointId: string, now: number): void {
    for (const [id, row] of this.#rows)
      if (row.job.endpointId === endpointId && row.status === "pending")
        this.#rows.set(id, { ...row, nextAttemptAt: row.nextAttemptAt ?? now });
  }

  /** The clock was set back: what waits to be written comes no later for that, nor what the table has. */
  setBack(back: SetBackOf): void {
    for (const [id, row] of this.#rows)
      if (row.nextAttemptAt !== undefined)
        this.#rows.set(id, { ...row, nextAttemptAt: row.nextAttemptAt - back.byMs });
    this.#backs.push(back);
    this.#commits.touch();
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
    const waits = this.#rows.size > 0 || this.#releases.size > 0 || this.#backs.length > 0;
    if (!waits && !floorMoves) return undefined;
    return writtenAt + this.#intervalMs(floorMoves && first.endpoints.size > 0);
  }

  #intervalMs(changesEndpoints: boolean): number {
    if (changesEndpoints || this.#rows.size >= fewRows) return rowsIntervalMs;
    return this.#rows.size > 0 ? fewRowsIntervalMs : floorIntervalMs;
  }

  /** `all`: counts too, whenever the last ones were written. */
  async #write(all: boolean): Promise<void> {
    // Before any row is taken: one that is due by the clock of before and is written by that of now would look as if it waited for as long as the clock was set back by.
    const now = this.#hears.now();
    let position = this.#checkpoint.position;
    const changes = noChanges();
    const { endpoints, counters, closed, moved, loosened, notices, canceled } = changes;
    while (this.#slots[0]?.unresolved.size === 0) {
      const slot = this.#slots.shift()!;
      if (slot.position > position) position = slot.position;
      for (const [id, change] of slot.endpoints)
        endpoints.set(id, { ...change, position: endpoints.get(id)?.position ?? change.position });
      for (const [partner, sequence] of slot.counters) counters.set(partner, sequence);
      for (const [id, at] of slot.closed) closed.set(id, at);
      for (const [id, at] of slot.moved) moved.set(id, at);
      for (const [id, at] of slot.loosened) loosened.set(id, at);
      for (const [id, endpointId] of slot.canceled) canceled.set(id, endpointId);
      notices.push(...slot.notices);
    }
    const rows = [...this.#rows.values()];
    this.#rows = new Map();
    this.#beingWritten.add(rows);
    this.#beingChanged = { ...changes, moved: new Map(moved), loosened: new Map(loosened) };
    const backs = this.#backs.splice(0);
    try {
      // By themselves, before any row of the clock as it is.
      for (const { endpointIds, ...back } of backs) await this.#hears.setBack(endpointIds, back);
      await this.#commit(position, rows, changes, now, all);
    } finally {
      this.#beingWritten.delete(rows);
    }
    for (const id of canceled.keys()) this.#canceled.delete(id);
    for (const row of rows)
      if (row.status !== "pending" || row.nextAttemptAt === undefined) this.release(row.job);
      else this.#hears.pending(row.job, row.nextAttemptAt, row.batch);
    const due = backs.flatMap(({ endpointIds }) => endpointIds);
    for (const id of [...due, ...moved.keys(), ...loosened.keys()]) this.#hears.moved(id, now);
    // What has come since an endpoint was opened again is held behind what was discarded with it.
    if (closed.size > 0)
      for (const each of await this.#hears.waitingFor([...closed.keys()])) this.release(each);
    this.#beingChanged = noChanges();
    await this.#releaseNext(now);
  }

  /** What is first of its subject, whatever was written before. Of what is under way from memory or not written yet, the record that is to come does this. */
  async #releaseNext(now: number): Promise<void> {
    if (this.#releases.size === 0) return;
    const unwritten = new Set<string>();
    for (const { job } of this.#rows.values()) unwritten.add(`${job.endpointId} ${job.subject}`);
    const next = [...this.#releases].flatMap(([endpointId, subjects]) =>
      [...subjects]
        .filter((subject) => this.#hears.mayRelease(endpointId, subject))
        .filter((subject) => !unwritten.has(`${endpointId} ${subject}`))
        .map((subject) => ({ endpointId, subject })),
    );
    this.#releases.clear();
    if (next.length === 0) return;
    const part = releaseNext(next, this.#handled, now);
    this.#releasing = [...new Set(next.map(({ endpointId }) => endpointId))];
    await this.#checkpoint.commit(this.#checkpoint.position, [part]);
    for (const id of this.#releasing) this.#hears.moved(id, now);
    this.#releasing = [];
  }

  async #commit(
    position: bigint,
    rows: readonly Row[],
    { endpoints, counters, closed, moved, loosened, notices, canceled }: Changes,
    now: number,
    all: boolean,
  ): Promise<void> {
    if (rows.length > 0) await failpoint("webhooks.before_record");
    // By itself, for no row may be changed by two parts of a statement.
    if (canceled.size > 0) {
      const own = rows.map((row) => row.job.id);
      const replays = [...canceled.keys()];
      const subjects = await this.#hears.subjectsOf(replays);
      await this.#checkpoint.commit(this.#checkpoint.position, [cancelReplays(replays, own)]);
      for (const each of subjects) this.release(each);
    }
    const chunks = chunksOf(rows);
    const last = chunks.pop()!;
    for (const chunk of chunks)
      await this.#checkpoint.commit(this.#checkpoint.position, [writeDeliveries(chunk, now)]);
    const ids = last.map((row) => row.job.id);
    const parts: WritePart[] = [];
    if (last.length > 0) parts.push(writeDeliveries(last, now));
    if (endpoints.size > 0) parts.push(writeEndpoints([...endpoints.values()]));
    if (counters.size > 0) parts.push(writeCounters(counters));
    if (notices.length > 0) parts.push(writeNotices(notices));
    const other = new Set([...closed.keys(), ...moved.keys()]);
    if (other.size > 0) parts.push(forgetFailing([...other]));
    // No row may be changed by two parts of a statement; an endpoint that closed after it moved has nothing that waits.
    if (closed.size > 0) parts.push(discardPending(closed, ids));
    for (const id of closed.keys()) {
      moved.delete(id);
      loosened.delete(id);
    }
    if (loosened.size > 0) parts.push(dueHeld(loosened, ids, now));
    if (moved.size > 0) parts.push(duePending(moved, ids, now));
    const tick = performance.now();
    if (all || this.#tally.isDue(tick))
      parts.push(...this.#tally.take(now, tick), ...this.#health.take(other));
    if (parts.length === 0 && position === this.#checkpoint.position) return;
    await this.#checkpoint.commit(position, parts);
    if (rows.length > 0) await failpoint("webhooks.after_record");
  }
}
