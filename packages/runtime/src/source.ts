import { shardOf, type EventType, type Shard } from "@heliograph/contracts";
import type { Batch } from "@heliograph/log";
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
      member.subscribe({ after, shard, signal, maxEvents, durable });
  return (after, signal) => {
    const batches = context.log.subscribe({ after, signal, maxEvents, ...typesOf(consumer) });
    return shard === undefined ? batches : onlyShard(batches, shard);
  };
}

/** The filter of a consumer's types for the log: none for one that takes every type. */
export const typesOf = (consumer: Consumer): { readonly types?: readonly EventType[] } =>
  consumer.types.length === 0 ? {} : { types: consumer.types };

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
