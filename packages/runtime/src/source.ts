import { shardOf, type EventType, type Shard } from "@heliograph/contracts";
import type { Batch, RecordedEvent } from "@heliograph/log";
import type { Consumer, FeedMember, ServiceContext } from "./types.ts";

/** A consumer, or one shard of a sharded one: what has a lease, a checkpoint row and a loop of its own. */
export type Unit = {
  readonly consumer: Consumer;
  readonly shard: Shard | undefined;
  /** Names the lease, the checkpoint row, the status and the dead letters: `dispatch`, or `dispatch/3`. */
  readonly name: string;
};

export const unitOf = (consumer: Consumer, shard?: Shard): Unit => ({
  consumer,
  shard,
  name: shard === undefined ? consumer.name : `${consumer.name}/${shard.index}`,
});

/** The units into which a consumer is divided; `count` is undefined for one that is not. */
export const unitsOf = (consumer: Consumer, count: number | undefined): readonly Unit[] =>
  count === undefined
    ? [unitOf(consumer)]
    : Array.from({ length: count }, (_, index) => unitOf(consumer, { index, count }));

/** Where a unit's events come from: given the position after which it wants them, and where its checkpoint is. */
export type Source = (
  after: bigint,
  signal: AbortSignal,
  durable: () => bigint,
) => AsyncIterable<Batch>;

/** The feed where the unit is a member of it, else a subscription to the log. */
export function sourceOf(
  context: ServiceContext,
  unit: Unit,
  member: FeedMember | undefined,
): Source {
  const { consumer, shard } = unit;
  const maxEvents = consumer.maxEvents ?? 500;
  if (member !== undefined)
    return (after, signal, durable) =>
      onlyConcerning(consumer, member.subscribe({ after, shard, signal, maxEvents, durable }));
  return (after, signal) => {
    const batches = context.log.subscribe({ after, signal, maxEvents, ...typesOf(consumer) });
    return onlyConcerning(consumer, shard === undefined ? batches : onlyShard(batches, shard));
  };
}

/** Without the events that ask nothing of the consumer; positions move on with them. */
function onlyConcerning(consumer: Consumer, batches: AsyncIterable<Batch>): AsyncIterable<Batch> {
  if (consumer.concerns === undefined) return batches;
  return (async function* () {
    for await (const batch of batches)
      yield { ...batch, events: concerning(consumer, batch.events) };
  })();
}

/** The events of a batch or page that are for the consumer. */
export const concerning = (
  consumer: Consumer,
  events: readonly RecordedEvent[],
): readonly RecordedEvent[] =>
  consumer.concerns === undefined
    ? events
    : events.filter((event) => isConcerning(consumer, event));

/** What is damaged is handed over: there it fails alone, and is set aside with its reason. */
function isConcerning(consumer: Consumer, event: RecordedEvent): boolean {
  if (event.version === 0 || event.type === endOfSpace) return true;
  try {
    return consumer.concerns!(event);
  } catch {
    return true;
  }
}

/** The types that a consumer is given: with what it asks for, the ends of spaces where it keeps anything of them. */
export const givenTypes = ({ types, spaces }: Consumer): readonly EventType[] =>
  spaces === undefined || types.length === 0 || types.includes(endOfSpace)
    ? types
    : [...types, endOfSpace];
export const endOfSpace = "SpaceEnded";

/** The filter of a consumer's types for the log: none for one that takes every type. */
export const typesOf = (consumer: Consumer): { readonly types?: readonly EventType[] } =>
  consumer.types.length === 0 ? {} : { types: givenTypes(consumer) };

/** The events of one shard's partners; positions move on with the others too. */
export async function* onlyShard(
  batches: AsyncIterable<Batch>,
  shard: Shard,
): AsyncGenerator<Batch> {
  for await (const batch of batches)
    yield {
      ...batch,
      events: batch.events.filter(
        ({ metadata }) => shardOf(metadata.partner, shard.count) === shard.index,
      ),
    };
}

/**
 * While a consumer is behind, the next batch is read as the last one is handled. One that has caught up waits instead, so that what arrives meanwhile
 * shares a batch.
 */
export async function* readAhead(batches: AsyncIterable<Batch>): AsyncGenerator<Batch> {
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
