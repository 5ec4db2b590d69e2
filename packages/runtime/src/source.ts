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
  const subscribed: Source = (after, signal, durable) => {
    if (member !== undefined) return member.subscribe({ after, shard, signal, maxEvents, durable });
    const batches = context.log.subscribe({ after, signal, maxEvents, ...typesOf(consumer) });
    return shard === undefined ? batches : onlyShard(batches, shard);
  };
  const concerned: Source = (after, signal, durable) =>
    onlyConcerning(consumer, subscribed(after, signal, durable));
  const { patient } = consumer;
  if (patient === undefined) return concerned;
  const patience = { patient: (event: RecordedEvent) => patient(event), maxEvents, patienceMs };
  return (after, signal, durable) =>
    gathered((ending) => concerned(after, ending, durable), signal, patience);
}

/** So long patient events wait for company: ten commits a second at most are theirs alone. */
const patienceMs = 100;

/**
 * Keeps events of which nobody waits for what comes, until one comes that is not so, `maxEvents` are there, or the first has waited for `patienceMs`; then all are handed over as one batch.
 * What is kept when the reading ends was never handed over and stays above the checkpoint.
 */
export async function* gathered(
  subscribe: (signal: AbortSignal) => AsyncIterable<Batch>,
  signal: AbortSignal,
  given: {
    readonly patient: (event: RecordedEvent) => boolean;
    readonly maxEvents: number;
    readonly patienceMs: number;
  },
): AsyncGenerator<Batch> {
  // The next batch is waited for while one is handled: a reader that leaves then must not wait for it.
  const left = new AbortController();
  const iterator = subscribe(AbortSignal.any([signal, left.signal]))[Symbol.asyncIterator]();
  const alarm = newAlarm();
  let kept: Batch | undefined;
  let next: Promise<IteratorResult<Batch>> | undefined;
  try {
    for (;;) {
      next ??= iterator.next();
      const result = await (kept === undefined ? next : Promise.race([next, alarm.rung()]));
      if (result === "rung") {
        yield kept!;
        kept = undefined;
        continue;
      }
      next = undefined;
      if (result.done) return;
      const batch = kept === undefined ? result.value : joined(kept, result.value);
      const waits =
        batch.events.length > 0 &&
        batch.events.length < given.maxEvents &&
        result.value.events.every(given.patient);
      if (waits && kept === undefined) alarm.set(given.patienceMs);
      if (!waits) {
        alarm.cancel();
        yield batch;
      }
      kept = waits ? batch : undefined;
    }
  } finally {
    alarm.cancel();
    left.abort();
    next?.catch(() => undefined);
    await iterator.return?.();
  }
}

const joined = (first: Batch, second: Batch): Batch => ({
  ...second,
  events: first.events.length === 0 ? second.events : [...first.events, ...second.events],
});

/** Rings once after it was set, whoever waits then. */
function newAlarm(): { set(ms: number): void; cancel(): void; rung(): Promise<"rung"> } {
  let timer: NodeJS.Timeout | undefined;
  let ring = Promise.withResolvers<"rung">();
  return {
    set(ms) {
      ring = Promise.withResolvers();
      timer = setTimeout(() => ring.resolve("rung"), ms);
    },
    cancel: () => clearTimeout(timer),
    rung: () => ring.promise,
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
