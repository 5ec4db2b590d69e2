import type { Batch, RecordedEvent } from "@heliograph/log";
import { quarantine } from "./dead-letters.ts";
import { isMachinery, latestAfter, messageOf, oneAtATime, pause } from "./faults.ts";
import type { Ownership } from "./lease.ts";
import { commitParts } from "./parts.ts";
import type { ConsumerStatus } from "./status.ts";
import type { Source } from "./source.ts";
import type { Projector, ProjectorInstance, ServiceContext } from "./types.ts";

/** A checkpoint that only passes over events of other types is written this seldom: nothing is lost when it is not written at all. */
export const idleCheckpointMs = 250;

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
  const pool = context.projectionPool;
  let committed = ownership.position;
  const create = async (): Promise<ProjectorInstance> =>
    projector.create({ pool, schema: projector.schema, position: committed });
  let instance = await create();
  let passed = committed;
  const turn = oneAtATime();
  const stop = new AbortController();
  let failure: { readonly error: unknown } | undefined;
  const idle = latestAfter(
    idleCheckpointMs,
    () => turn(async () => (passed > committed ? commit([], passed) : undefined)),
    (error) => {
      failure ??= { error };
      stop.abort();
    },
  );
  status.position = committed;

  const commit = async (events: readonly RecordedEvent[], to: bigint): Promise<void> => {
    const parts = events.length === 0 ? [] : await instance.project(events);
    await commitParts(
      pool,
      {
        schema: projector.schema,
        name: projector.name,
        from: committed,
        to,
        epoch: ownership.epoch,
      },
      parts,
    );
    committed = to;
    status.position = to;
    status.handled += events.length;
    instance.committed?.(to);
  };

  // Caches may have taken in part of a batch that failed, so what follows a failure starts from the tables again.
  const commitOrQuarantine = async (batch: Batch): Promise<void> => {
    try {
      await commit(batch.events, batch.position);
      return;
    } catch (error) {
      if (isMachinery(error)) throw error;
      context.logger.warn(
        { consumer: projector.name, error: messageOf(error) },
        "a batch failed; its events are tried one by one",
      );
    }
    for (const event of batch.events) {
      try {
        instance = await create();
        await commit([event], event.position);
      } catch (error) {
        if (isMachinery(error)) throw error;
        await quarantine(context.pool, projector.name, event, messageOf(error));
        context.logger.error(
          {
            consumer: projector.name,
            position: String(event.position),
            type: event.type,
            error: messageOf(error),
          },
          "event quarantined",
        );
        await commit([], event.position);
      }
    }
    instance = await create();
    await commit([], batch.position);
  };

  const retryOne = async (retry: Retry): Promise<void> => {
    try {
      const event = await context.log.readAt(retry.position);
      await commit(event ? [event] : [], committed);
      retry.done();
    } catch (error) {
      retry.done(error);
      instance = await create();
      if (isMachinery(error)) throw error;
    }
  };

  const retrying = setInterval(() => {
    for (const retry of retries.splice(0))
      void turn(() => retryOne(retry)).catch(() => stop.abort());
  }, 500);
  const reading = AbortSignal.any([signal, stop.signal]);
  try {
    for await (const batch of readAhead(source(committed, reading, () => committed))) {
      status.head = batch.head;
      if (batch.events.length === 0) {
        // Only what had no events may be passed over without writing: a batch whose commit fails must be read again.
        passed = batch.position;
        status.position = batch.position;
        idle.schedule();
        continue;
      }
      await turn(() => commitOrQuarantine(batch)).catch((error: unknown) => {
        // The next batch is being waited for already: without this the failure would wait for it too.
        stop.abort();
        throw error;
      });
      if (
        projector.lingerMs !== undefined &&
        batch.events.length < (projector.maxEvents ?? 500) / 2
      )
        await pause(projector.lingerMs, reading);
    }
    if (failure) throw failure.error;
  } finally {
    idle.cancel();
    clearInterval(retrying);
  }
}

/**
 * While a consumer is behind, the next batch is read as the last one is handled. One that has caught up waits instead, so that what arrives meanwhile
 * shares a batch.
 */
async function* readAhead(batches: AsyncIterable<Batch>): AsyncGenerator<Batch> {
  const iterator = batches[Symbol.asyncIterator]();
  try {
    let next: Promise<IteratorResult<Batch>> | undefined;
    for (;;) {
      const result = await (next ?? iterator.next());
      if (result.done) return;
      next = result.value.caughtUp ? undefined : iterator.next();
      next?.catch(() => undefined);
      yield result.value;
    }
  } finally {
    await iterator.return?.();
  }
}
