import { readEventFlaw } from "@heliograph/contracts";
import type { Batch, RecordedEvent } from "@heliograph/log";
import { quarantine } from "./dead-letters.ts";
import { isMachinery, latestAfter, messageOf, oneAtATime } from "./faults.ts";
import type { Ownership } from "./lease.ts";
import { commitParts } from "./parts.ts";
import { idleCheckpointMs, type Retry } from "./projector-loop.ts";
import type { Source, Unit } from "./source.ts";
import type { ConsumerStatus } from "./status.ts";
import type { Checkpoint, Reactor, ServiceContext, WritePart } from "./types.ts";

/** Events up to here are handed over one at a time, after a batch failed, so that the one at fault is found. Kept over restarts of the consumer. */
export type Careful = {
  until: bigint;
  readonly skip: Set<bigint>;
  readonly failures: Map<bigint, number>;
};
export const newCareful = (): Careful => ({ until: 0n, skip: new Set(), failures: new Map() });

/** An event is set aside when it alone failed so often. */
const triesBeforeQuarantine = 3;

/** Moves a checkpoint by compare-and-set; concurrent calls queue up, so that each starts from where the last one ended. */
export function newCheckpoint(
  context: ServiceContext,
  unit: { readonly name: string; readonly schema: string },
  ownership: Ownership,
  status: ConsumerStatus,
): Checkpoint {
  let position = ownership.position;
  const turn = oneAtATime();
  const run = async (to: bigint, parts: readonly WritePart[]): Promise<void> => {
    await commitParts(
      context.pool,
      { schema: unit.schema, name: unit.name, from: position, to, epoch: ownership.epoch },
      parts,
    );
    position = to;
    status.position = to;
  };
  return {
    get position() {
      return position;
    },
    commit(to, parts = []) {
      return turn(() => run(to > position ? to : position, parts));
    },
  };
}

/** Runs one reactor as its owner until the signal ends (then it drains) or something breaks (throws). */
export async function runReactor(
  reactor: Reactor,
  unit: Unit,
  context: ServiceContext,
  ownership: Ownership,
  status: ConsumerStatus,
  signal: AbortSignal,
  retries: Retry[],
  careful: Careful,
  drainMs: number,
  source: Source,
): Promise<void> {
  const ended = new AbortController();
  const stopReading = new AbortController();
  // The signal may have ended while the lease was being taken; an event that has passed is not heard.
  if (signal.aborted) stopReading.abort();
  else signal.addEventListener("abort", () => stopReading.abort(), { once: true });
  let failure: { readonly error: unknown } | undefined;
  let handed = 0n;
  const fail = (error: unknown): void => {
    // What was handed over and fails later cannot be laid to one event; the next owner at least sets aside what breaks its schema.
    if (failure === undefined && !isMachinery(error) && handed > careful.until)
      careful.until = handed;
    failure ??= { error };
    stopReading.abort();
  };
  status.position = ownership.position;
  const checkpoint = newCheckpoint(
    context,
    { name: unit.name, schema: reactor.schema },
    ownership,
    status,
  );
  const logger = context.logger.child({ consumer: unit.name });
  const instance = await reactor.start({
    context,
    schema: reactor.schema,
    shard: unit.shard,
    epoch: ownership.epoch,
    checkpoint,
    logger,
    signal: ended.signal,
    stopping: stopReading.signal,
    fail,
  });
  const turn = oneAtATime();
  let passed: Batch | undefined;
  const idle = latestAfter(
    idleCheckpointMs,
    () => turn(async () => (passed ? instance.handle(passed) : undefined)),
    fail,
  );
  const retrying = setInterval(() => {
    for (const retry of retries.splice(0)) void turn(() => retryOne(retry)).catch(fail);
  }, 500);
  try {
    const start = checkpoint.position;
    for await (const batch of source(start, stopReading.signal, () => checkpoint.position)) {
      if (failure) break;
      // The head of a shard is its own last event: it is not behind when the others go on.
      status.head = unit.shard !== undefined && batch.caughtUp ? batch.position : batch.head;
      if (batch.events.length === 0) {
        passed = batch;
        idle.schedule();
        continue;
      }
      passed = undefined;
      handed = batch.position;
      await turn(() => (careful.until > 0n ? handleCarefully(batch) : handleBatch(batch)));
      status.handled += batch.events.length;
    }
    if (failure) throw failure.error;
  } finally {
    idle.cancel();
    clearInterval(retrying);
    const orderly = failure === undefined;
    if (!orderly) ended.abort();
    await instance
      .stop(orderly ? drainMs : 0)
      .catch((error: unknown) => logger.warn({ error: messageOf(error) }, "stop failed"));
    ended.abort();
  }

  async function handleBatch(batch: Batch): Promise<void> {
    try {
      await instance.handle(batch);
    } catch (error) {
      if (!isMachinery(error)) careful.until = batch.position;
      throw error;
    }
  }

  async function handleCarefully(batch: Batch): Promise<void> {
    for (const event of batch.events) {
      if (careful.skip.has(event.position)) continue;
      // The log checks its events when it appends them: this finds what came past it, and spares it the restarts that others get before they are set aside.
      const flaw = readEventFlaw(event);
      if (flaw !== undefined) {
        await setAside(event, flaw);
        continue;
      }
      try {
        await instance.handle({ ...batch, events: [event], position: event.position });
      } catch (error) {
        if (isMachinery(error)) throw error;
        const failures = (careful.failures.get(event.position) ?? 0) + 1;
        careful.failures.set(event.position, failures);
        if (failures >= triesBeforeQuarantine) await setAside(event, messageOf(error));
        throw error;
      }
    }
    await instance.handle({ ...batch, events: [] });
    if (batch.position >= careful.until) {
      careful.until = 0n;
      careful.failures.clear();
    }
  }

  async function setAside(event: RecordedEvent, reason: string): Promise<void> {
    await quarantine(context.pool, unit.name, event, reason);
    careful.skip.add(event.position);
    logger.error(
      { position: String(event.position), type: event.type, error: reason },
      "event quarantined",
    );
  }

  async function retryOne(retry: Retry): Promise<void> {
    try {
      const event = await context.log.readAt(retry.position);
      if (event !== undefined && instance.retry !== undefined) await instance.retry(event);
      else
        await instance.handle({
          events: event ? [event] : [],
          position: checkpoint.position,
          head: status.head,
          caughtUp: false,
        });
      retry.done();
    } catch (error) {
      retry.done(error);
      throw error;
    }
  }
}
