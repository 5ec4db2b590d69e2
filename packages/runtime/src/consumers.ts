import { Groups } from "./groups.ts";
import { Housekeeping } from "./housekeeping.ts";
import { Leases } from "./lease.ts";
import { unitsOf, type Unit } from "./source.ts";
import { newStatus, type ConsumerStatus } from "./status.ts";
import { fixedShards, fixShards } from "./tables/division.ts";
import { prepareConsumer, prepareRuntime } from "./tables/schema.ts";
import type { Consumer, ServiceContext } from "./types.ts";
import { UnitLoop } from "./unit-loop.ts";

export type RunningConsumers = {
  readonly statuses: readonly ConsumerStatus[];
  /** Stops reading, lets reactors finish what is in flight within the time, gives the leases back. */
  stop(): Promise<void>;
};

/** Runs consumers of one environment: each as soon as this process owns it, restarted with back-off when a store or the log is away. */
export async function startConsumers(
  context: ServiceContext,
  consumers: readonly Consumer[],
): Promise<RunningConsumers> {
  const stopping = new AbortController();
  let leaseLost = new AbortController();
  const leases = new Leases(context.connection, () => {
    leaseLost.abort();
    leaseLost = new AbortController();
  });
  const units = await prepareUnits(context, consumers);
  const groups = new Groups(context.feed);
  const shared = {
    context,
    leases,
    groups,
    stopping: stopping.signal,
    leaseSignal: () => leaseLost.signal,
  };
  const loops = units.map(
    (unit) => new UnitLoop(unit, newStatus(context.shownAs ?? context.environment, unit), shared),
  );
  const house = new Housekeeping(context, consumers, loops, stopping.signal);
  const running = loops.map((loop) => loop.run());
  if (consumers.length > 0) running.push(house.run());
  return {
    statuses: loops.map(({ status }) => status),
    async stop() {
      stopping.abort();
      await Promise.all(running);
      await groups.leave();
      await leases.close();
    },
  };
}

async function prepareUnits(
  context: ServiceContext,
  consumers: readonly Consumer[],
): Promise<readonly Unit[]> {
  const { pool, feed } = context;
  await prepareRuntime(pool);
  if (feed !== undefined) await fixShards(pool, feed.shards);
  const shards = await fixedShards(pool);
  const units: Unit[] = [];
  for (const consumer of consumers) {
    // What is divided stays so; only a feed divides what is not.
    const wanted = feed === undefined ? undefined : shards;
    const divided = await prepareConsumer(pool, consumer, consumer.schema, wanted);
    units.push(...unitsOf(consumer, divided ? shards : undefined));
  }
  return units;
}
