import { setTimeout as pause } from "node:timers/promises";
import { startKafkaCluster, until, type KafkaCluster } from "@heliograph/testkit";
import type { Fault } from "./faults.ts";
import { acceptsGoOn, withAdmin } from "./kafka-faults.ts";
import { openWorld, type World } from "./world.ts";

const size = 3;
/** From the loss of a broker to webhooks that go on: its session ends, its partitions get other leaders, and the clients hear of it. */
const failOverMs = 60_000;
/** With two of three away nothing may be acknowledged, for longer than a request of a producer waits before it is made again. */
const minorityMs = 3_000;
const topics = ["live", "sandbox"].map((environment) => `heliograph.${environment}.log`);

/**
 * Three brokers, each record on two of them at least before it counts. One is killed under load, then another: consumers go on. Then two at once, when nothing may be acknowledged: what is
 * accepted meanwhile waits in the log, and comes once a second broker is back.
 */
function lostBrokers(): Fault {
  let cluster: KafkaCluster | undefined;
  return {
    name: "one of three brokers is killed, then another, then two at once",
    long: true,
    async open(random): Promise<World> {
      const opened = await startKafkaCluster(size);
      cluster = opened;
      try {
        const env = { HELIOGRAPH_KAFKA_REPLICATION: String(size) };
        const world = await openWorld(random, { feed: "kafka", cluster: opened, env });
        const { close } = world;
        return Object.assign(world, {
          async close() {
            await close();
            await opened.remove();
          },
        });
      } catch (error) {
        await opened.remove();
        throw error;
      }
    },
    async run(world) {
      const { nodes } = cluster!;
      const notes: string[] = [];
      await inStep(world);
      for (const node of nodes.slice(0, 2)) {
        await node.kill();
        const lostAt = performance.now();
        await acceptsGoOn(world);
        await toldOfNewOnes(world);
        notes.push(`${((performance.now() - lostAt) / 1000).toFixed(1)} s`);
        await node.start();
        await inStep(world);
      }
      await Promise.all(nodes.slice(1).map((node) => node.kill()));
      await acceptsGoOn(world);
      await pause(minorityMs);
      for (const node of nodes.slice(1)) await node.start();
      await inStep(world);
      return `webhooks of new messages ${notes.join(" and ")} after a broker was lost`;
    },
  };
}

/** Every copy of every partition of the log has what its leader has. */
const inStep = (world: World): Promise<unknown> =>
  withAdmin(world, (admin) =>
    until(
      async () => {
        const described = await admin.fetchTopicMetadata({ topics: [...topics] });
        return described.topics.every(({ partitions }) =>
          partitions.every(({ isr, replicas }) => replicas.length === size && isr.length === size),
        );
      },
      { timeoutMs: 120_000, what: "every copy is in step" },
    ),
  );

/** Receivers are told of messages that were accepted from now on: the way from the log over the brokers goes on. */
async function toldOfNewOnes(world: World): Promise<void> {
  const { sends, arrivals } = world.journal;
  const before = new Set(sends.flatMap(({ answers }) => answers.map(({ id }) => id)));
  const from = arrivals.length;
  const isNew = (body: string): boolean => {
    const [id] = /msg_[0-9A-Z]{26}/.exec(body) ?? [];
    return id !== undefined && !before.has(id);
  };
  await until(() => arrivals.slice(from).some(({ accepted, body }) => accepted && isNew(body)), {
    timeoutMs: failOverMs,
    what: "receivers are told of new messages with a broker away",
  });
}

export const clusterFaults: readonly Fault[] = [lostBrokers()];
