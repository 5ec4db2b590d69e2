import { followUp } from "./follow-up.ts";
import { Groups } from "./groups.ts";
import { Housekeeping } from "./housekeeping.ts";
import { Leases } from "./lease.ts";
import { backlogOf } from "./pressure.ts";
import { Sharing } from "./sharing.ts";
import { unitsOf, type Unit } from "./source.ts";
import { newStatus, type ConsumerStatus } from "./status.ts";
import { fixedShards, fixShards } from "./tables/division.ts";
import { prepareConsumer, prepareRuntime } from "./tables/schema.ts";
import { isDivisible, type Consumer, type ServiceContext } from "./types.ts";
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
  const { units, shards } = await prepareUnits(context, consumers);
  const sharing =
    shards === undefined ? undefined : new Sharing(context.projectionPool, shards, context.logger);
  const groups = new Groups(context.feed, sharing);
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
  const statuses = loops.map(({ status }) => status);
  const forget = followUp.add(() => backlogOf(context.log, statuses, Date.now()));
  return {
    statuses,
    async stop() {
      forget();
      stopping.abort();
      await Promise.all([sharing?.close(), ...running]);
      await groups.leave();
      await leases.close();
    },
  };
}

async function prepareUnits(
  context: ServiceContext,
  consumers: readonly Consumer[],
): Promise<{ readonly units: readonly Unit[]; readonly shards: number | undefined }> {
  const { pool, feed, settings } = context;
  await prepareRuntime(pool);
  const asked = consumers.some(isDivisible) ? settings.shards : undefined;
  if (feed !== undefined) await fixShards(pool, feed.shards, "HELIOGRAPH_KAFKA_SHARDS");
  if (asked !== undefined) await fixShards(pool, asked, "HELIOGRAPH_SHARDS");
  const shards = await fixedShards(pool);
  const units: Unit[] = [];
  for (const consumer of consumers) {
    // What is divided stays so, whatever is asked for now.
    const divides =
      isDivisible(consumer) &&
      (asked !== undefined || (feed !== undefined && consumer.sharded !== "asked"));
    const wanted = divides ? shards : undefined;
    const divided = await prepareConsumer(pool, consumer, consumer.schema, wanted);
    units.push(...unitsOf(consumer, divided ? shards : undefined));
  }
  return { units, shards };
}
