import type { Batch, RecordedEvent } from "@heliograph/log";
import type { Careful } from "./careful.ts";
import { latestAfter, messageOf, oneAtATime } from "./faults.ts";
import type { Ownership } from "./lease.ts";
import { passOver } from "./passing.ts";
import { retryLookMs, type Retry } from "./projector-loop.ts";
import type { Source, Unit } from "./source.ts";
import { Clearing, EndedSpaces } from "./spaces.ts";
import type { ConsumerStatus } from "./status.ts";
import { quarantine } from "./tables/dead-letters.ts";
import { commitParts } from "./tables/parts.ts";
import { keepEnded } from "./tables/spaces.ts";
import type { Checkpoint, Reactor, ReactorInstance, ServiceContext, WritePart } from "./types.ts";

/**
 * A checkpoint of a reactor that only passes over events which do not concern it is written this seldom, and by all reactors at the same moments, so that they share a commit: it is a
 * durable one, and where it is not written at all a successor merely passes over them again.
 */
const idleCheckpointMs = 2_000;

/** That of whoever runs the reactor. */
type OwnCheckpoint = Checkpoint & {
  /** While it works, what is committed without rows goes along with others that only pass over events. */
  passing(work: () => Promise<void>): Promise<void>;
};

/** Moves a checkpoint by compare-and-set; concurrent calls queue up, so that each starts from where the last one ended. */
export function newCheckpoint(
  context: ServiceContext,
  unit: { readonly name: string; readonly schema: string },
  ownership: Ownership,
  status: ConsumerStatus,
): OwnCheckpoint {
  let position = ownership.position;
  let isPassing = false;
  const turn = oneAtATime();
  const run = async (to: bigint, parts: readonly WritePart[]): Promise<void> => {
    const { schema, name } = unit;
    const move = { schema, name, from: position, to, epoch: ownership.epoch };
    await (isPassing && parts.length === 0
      ? passOver(context.pool, move)
      : commitParts(context.pool, move, parts));
    position = to;
    show(to);
  };
  // It may have been shown further already, where events are dealt with or passed over between two commits.
  const show = (to: bigint): void => {
    if (to > status.position) status.position = to;
  };
  return {
    get position() {
      return position;
    },
    commit(to, parts = []) {
      return turn(() => run(to > position ? to : position, parts));
    },
    dealt: show,
    async passing(work) {
      isPassing = true;
      try {
        await work();
      } finally {
        isPassing = false;
      }
    },
  };
}

/** Everything that one owner of a reactor is given. */
export type ReactorTurn = {
  readonly reactor: Reactor;
  readonly unit: Unit;
  readonly context: ServiceContext;
  readonly ownership: Ownership;
  readonly status: ConsumerStatus;
  /** Ends the reading; what is in flight is then drained. */
  readonly signal: AbortSignal;
  readonly retries: Retry[];
  readonly careful: Careful;
  readonly drainMs: number;
  readonly source: Source;
};

/** Runs one reactor as its owner until the signal ends (then it drains) or something breaks (throws). */
export async function runReactor(given: ReactorTurn): Promise<void> {
  const run = new ReactorRun(given);
  await run.start();
  const retrying = setInterval(() => run.retry(given.retries.splice(0)), retryLookMs);
  try {
    await run.follow();
  } finally {
    clearInterval(retrying);
    await run.end();
  }
}

class ReactorRun {
  readonly #given: ReactorTurn;
  readonly #checkpoint: OwnCheckpoint;
  readonly #turn = oneAtATime();
  readonly #ended = new AbortController();
  readonly #stopReading = new AbortController();
  readonly #idle: ReturnType<typeof latestAfter>;
  readonly #logger: ServiceContext["logger"];
  #clearing!: Clearing;
  #instance!: ReactorInstance;
  #spaces!: EndedSpaces;
  #failure: { readonly error: unknown } | undefined;
  #handed = 0n;
  #passed: Batch | undefined;

  constructor(given: ReactorTurn) {
    const { reactor, unit, context, ownership, status, signal } = given;
    this.#given = given;
    // The signal may have ended while the lease was being taken; an event that has passed is not heard.
    if (signal.aborted) this.#stopReading.abort();
    else signal.addEventListener("abort", () => this.#stopReading.abort(), { once: true });
    status.position = ownership.position;
    const at = { name: unit.name, schema: reactor.schema };
    this.#checkpoint = newCheckpoint(context, at, ownership, status);
    this.#logger = context.logger.child({ consumer: unit.name });
    this.#idle = latestAfter(
      idleCheckpointMs,
      () => this.#turn(() => this.#passOver()),
      this.#fail,
    );
  }

  async start(): Promise<void> {
    const { reactor, unit, context, ownership } = this.#given;
    const { environment, directory } = context;
    this.#spaces = await EndedSpaces.read(context.pool, reactor, reactor.schema, (space) =>
      directory.isOver(environment, space),
    );
    this.#instance = await reactor.start({
      context,
      schema: reactor.schema,
      shard: unit.shard,
      epoch: ownership.epoch,
      checkpoint: this.#checkpoint,
      logger: this.#logger,
      signal: this.#ended.signal,
      stopping: this.#stopReading.signal,
      fail: this.#fail,
    });
    this.#clearing = new Clearing({
      context,
      unit,
      epoch: ownership.epoch,
      position: () => this.#checkpoint.position,
    });
  }

  async follow(): Promise<void> {
    const { unit, status, source } = this.#given;
    const checkpoint = this.#checkpoint;
    const batches = source(
      checkpoint.position,
      this.#stopReading.signal,
      () => checkpoint.position,
    );
    for await (const given of batches) {
      if (this.#failure) break;
      const batch = await this.#sift(given);
      // The head of a shard is its own last event: it is not behind when the others go on.
      status.head = unit.shard !== undefined && batch.caughtUp ? batch.position : batch.head;
      if (batch.events.length === 0) {
        this.#passed = batch;
        // With nothing in its hands the reactor is as far as it has read, whatever is written of that.
        if (status.position >= this.#handed) status.position = batch.position;
        this.#idle.schedule();
        continue;
      }
      this.#passed = undefined;
      this.#handed = batch.position;
      await this.#turn(() => this.#take(batch));
      status.handled += batch.events.length;
    }
    if (this.#failure) throw this.#failure.error;
  }

  async #passOver(): Promise<void> {
    const passed = this.#passed;
    if (passed !== undefined) await this.#checkpoint.passing(() => this.#instance.handle(passed));
  }

  /** What ends is noted before the checkpoint can pass it. */
  async #sift(batch: Batch): Promise<Batch> {
    const { events, ended } = this.#spaces.sift(batch.events);
    if (ended.length > 0) {
      const { context, reactor } = this.#given;
      await keepEnded(context.pool, reactor.schema, ended);
      this.#clearing.wake();
    }
    return events === batch.events ? batch : { ...batch, events };
  }

  retry(retries: readonly Retry[]): void {
    for (const retry of retries) void this.#turn(() => this.#retryOne(retry)).catch(this.#fail);
  }

  /** Drains what is in flight when the end is an orderly one. */
  async end(): Promise<void> {
    this.#idle.cancel();
    await this.#clearing.close();
    const orderly = this.#failure === undefined;
    if (!orderly) this.#ended.abort();
    await this.#instance
      .stop(orderly ? this.#given.drainMs : 0)
      .catch((error: unknown) => this.#logger.warn({ error: messageOf(error) }, "stop failed"));
    this.#ended.abort();
  }

  /** What was handed over and fails later cannot be laid to one event; the next owner at least sets aside what breaks its schema. */
  readonly #fail = (error: unknown): void => {
    if (this.#failure === undefined) this.#given.careful.suspect(error, this.#handed);
    this.#failure ??= { error };
    this.#stopReading.abort();
  };

  #take(batch: Batch): Promise<void> {
    return this.#given.careful.take(
      batch,
      (part) => this.#instance.handle(part),
      (event, reason) => this.#setAside(event, reason),
    );
  }

  async #setAside(event: RecordedEvent, reason: string): Promise<void> {
    const { context, unit } = this.#given;
    await quarantine(context.pool, unit.name, event, reason);
    this.#logger.error(
      { position: String(event.position), type: event.type, error: reason },
      "event quarantined",
    );
  }

  async #retryOne(retry: Retry): Promise<void> {
    try {
      const found = await this.#given.context.log.readAt(retry.position);
      const [event] = this.#spaces.sift(found ? [found] : []).events;
      if (event !== undefined && this.#instance.retry !== undefined)
        await this.#instance.retry(event);
      else
        await this.#instance.handle({
          events: event ? [event] : [],
          position: this.#checkpoint.position,
          head: this.#given.status.head,
          caughtUp: false,
        });
      retry.done();
    } catch (error) {
      retry.done(error);
      throw error;
    }
  }
}
