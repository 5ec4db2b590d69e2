import type { Batch, RecordedEvent } from "@heliograph/log";
import { isMachinery, latestAfter, messageOf, oneAtATime } from "./faults.ts";
import { onHurry } from "./hurry.ts";
import type { Ownership } from "./lease.ts";
import { passOver } from "./passing.ts";
import { readAhead, unitOf, type Source } from "./source.ts";
import { Clearing, EndedSpaces } from "./spaces.ts";
import type { ConsumerStatus } from "./status.ts";
import { quarantine } from "./tables/dead-letters.ts";
import { commitParts } from "./tables/parts.ts";
import { noteEnded } from "./tables/spaces.ts";
import type { Projector, ProjectorInstance, ServiceContext } from "./types.ts";

/**
 * A checkpoint that only passes over events of other types is written this seldom, and by all projectors at the same moments, so that they share a commit: nothing is lost when it is not
 * written at all.
 */
const idleCheckpointMs = 250;
/** What came during a rest takes so much of the rest's time to project; whoever takes longer is short of time. */
const catchUpShare = 0.5;
/** How often a loop looks for dead letters that an operator wants tried again. */
export const retryLookMs = 500;

/** Takes events it is given again, out of order, for the retry of a dead letter. */
export type Retry = { readonly position: bigint; readonly done: (error?: unknown) => void };

/** Runs one projector as its owner until the signal ends or something breaks (throws). */
export async function runProjector(
  projector: Projector,
  context: ServiceContext,
  ownership: Ownership,
  status: ConsumerStatus,
  signal: AbortSignal,
  retries: Retry[],
  source: Source,
): Promise<void> {
  const run = new ProjectorRun(projector, context, ownership, status);
  const retrying = setInterval(() => run.retry(retries.splice(0)), retryLookMs);
  try {
    await run.follow(source, signal);
  } finally {
    clearInterval(retrying);
    await run.end();
  }
}

/** The time of one owner: how far its tables are committed, and the caches that were made from them. */
class ProjectorRun {
  readonly #projector: Projector;
  readonly #context: ServiceContext;
  readonly #epoch: number;
  readonly #status: ConsumerStatus;
  readonly #turn = oneAtATime();
  readonly #stop = new AbortController();
  readonly #idle: ReturnType<typeof latestAfter>;
  #committed: bigint;
  /** Up to here there was nothing to project. */
  #passed: bigint;
  #failure: { readonly error: unknown } | undefined;
  readonly #clearing: Clearing;
  readonly #unheard: () => void;
  #endPause: (() => void) | undefined;
  #instance!: ProjectorInstance;
  #spaces!: EndedSpaces;

  constructor(
    projector: Projector,
    context: ServiceContext,
    ownership: Ownership,
    status: ConsumerStatus,
  ) {
    this.#projector = projector;
    this.#context = context;
    this.#epoch = ownership.epoch;
    this.#status = status;
    this.#committed = ownership.position;
    this.#passed = ownership.position;
    status.position = ownership.position;
    this.#clearing = new Clearing({
      context,
      unit: unitOf(projector),
      epoch: ownership.epoch,
      position: () => this.#committed,
    });
    this.#idle = latestAfter(
      idleCheckpointMs,
      () => this.#turn(() => this.#commitPassed()),
      (error) => {
        this.#failure ??= { error };
        this.#stop.abort();
      },
    );
    this.#unheard = onHurry(context.projectionPool, projector.schema, () => {
      this.#endPause?.();
      this.#idle.now();
    });
  }

  async follow(source: Source, signal: AbortSignal): Promise<void> {
    await this.#begin();
    const { lingerMs, maxEvents = 500 } = this.#projector;
    const { log } = this.#context;
    const reading = AbortSignal.any([signal, this.#stop.signal]);
    reading.addEventListener("abort", () => this.#endPause?.(), { once: true });
    for await (const batch of readAhead(source(this.#committed, reading, () => this.#committed))) {
      this.#status.head = batch.head;
      if (batch.events.length === 0) {
        // Only what had no events may be passed over without writing: a batch whose commit fails must be read again.
        this.#passed = batch.position;
        this.#status.position = batch.position;
        this.#idle.schedule();
        continue;
      }
      await this.#turn(() => this.#take(batch)).catch((error: unknown) => {
        // The next batch is being waited for already: without this the failure would wait for it too.
        this.#stop.abort();
        throw error;
      });
      if (lingerMs === undefined || batch.events.length >= maxEvents / 2) continue;
      // What there is already needs no company: where pages are small, of large events or out of a feed's memory, a projector that is behind would rest after each.
      const isBehind = log.span(batch.position, batch.head) >= maxEvents;
      if (!isBehind && !reading.aborted) await this.#pause(lingerMs);
    }
    if (this.#failure) throw this.#failure.error;
  }

  retry(retries: readonly Retry[]): void {
    for (const retry of retries)
      void this.#turn(() => this.#retryOne(retry)).catch(() => this.#stop.abort());
  }

  async end(): Promise<void> {
    this.#unheard();
    this.#idle.cancel();
    await this.#clearing.close();
  }

  /** Caches are made from the tables as they are committed. */
  async #begin(): Promise<void> {
    const { schema } = this.#projector;
    const pool = this.#context.projectionPool;
    this.#instance = await this.#projector.create({ pool, schema, position: this.#committed });
    this.#spaces = await EndedSpaces.read(pool, this.#projector, schema);
  }

  /** What comes meanwhile shares a commit; whoever waits for it ends the pause. */
  #pause(ms: number): Promise<void> {
    this.#status.restsUntil = performance.now() + ms * (1 + catchUpShare);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#endPause?.(), ms);
      const end = (): void => {
        clearTimeout(timer);
        this.#endPause = undefined;
        resolve();
      };
      this.#endPause = end;
    });
  }

  async #commitPassed(): Promise<void> {
    const to = this.#passed;
    if (to <= this.#committed) return;
    const { schema, name } = this.#projector;
    const move = { schema, name, from: this.#committed, to, epoch: this.#epoch };
    await passOver(this.#context.projectionPool, move);
    this.#reached(to);
  }

  async #commit(events: readonly RecordedEvent[], to: bigint): Promise<void> {
    const { schema, name } = this.#projector;
    const { events: left, ended } = this.#spaces.sift(events);
    const parts = left.length === 0 ? [] : await this.#instance.project(left);
    const at = { schema, name, from: this.#committed, to, epoch: this.#epoch };
    await commitParts(this.#context.projectionPool, at, [...parts, ...noteEnded(ended)]);
    if (ended.length > 0) this.#clearing.wake();
    this.#reached(to);
    this.#status.handled += events.length;
  }

  #reached(to: bigint): void {
    this.#committed = to;
    this.#status.position = to;
    this.#instance.committed?.(to);
  }

  async #take(batch: Batch): Promise<void> {
    try {
      await this.#commit(batch.events, batch.position);
    } catch (error) {
      if (isMachinery(error)) throw error;
      this.#context.logger.warn(
        { consumer: this.#projector.name, error: messageOf(error) },
        "a batch failed; its events are tried one by one",
      );
      await this.#takeOneByOne(batch);
    }
  }

  /** Caches may have taken in part of a batch that failed, so what follows a failure starts from the tables again. */
  async #takeOneByOne(batch: Batch): Promise<void> {
    for (const event of batch.events) {
      try {
        await this.#begin();
        await this.#commit([event], event.position);
      } catch (error) {
        if (isMachinery(error)) throw error;
        await this.#setAside(event, messageOf(error));
        await this.#commit([], event.position);
      }
    }
    await this.#begin();
    await this.#commit([], batch.position);
  }

  async #setAside(event: RecordedEvent, reason: string): Promise<void> {
    const { name } = this.#projector;
    await quarantine(this.#context.pool, name, event, reason);
    this.#context.logger.error(
      { consumer: name, position: String(event.position), type: event.type, error: reason },
      "event quarantined",
    );
  }

  async #retryOne(retry: Retry): Promise<void> {
    try {
      const event = await this.#context.log.readAt(retry.position);
      await this.#commit(event ? [event] : [], this.#committed);
      retry.done();
    } catch (error) {
      retry.done(error);
      await this.#begin();
      if (isMachinery(error)) throw error;
    }
  }
}
