import { setTimeout as pause } from "node:timers/promises";
import { until } from "@heliograph/testkit";
import { Kafka, logLevel, type Admin } from "kafkajs";
import { killAt, killNode, withStandby, type Fault } from "./faults.ts";
import type { World } from "./world.ts";

const environments = ["live", "sandbox"] as const;
const logTopic = (environment: string): string => `heliograph.${environment}.log`;

/** What is done to the broker, its topics and the consumer groups while messages come in. */
const broker = (world: World) => {
  if (world.kafka === undefined) throw new Error("this world has no Kafka");
  return world.kafka;
};

export async function withAdmin<T>(world: World, work: (admin: Admin) => Promise<T>): Promise<T> {
  const client = new Kafka({
    brokers: [...(world.brokers ?? [])],
    clientId: "faults",
    logLevel: logLevel.NOTHING,
  });
  const admin = client.admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Accepts must go on while the brokers are away: one that does not answer 202 is a violation. */
export async function acceptsGoOn(world: World): Promise<void> {
  const accepted = world.journal.sends.flatMap(({ answers }) => answers).length;
  await until(() => world.journal.sends.flatMap(({ answers }) => answers).length > accepted + 20, {
    timeoutMs: 10_000,
    what: "accepts go on without the brokers",
  });
}

export const killBroker: Fault = {
  name: "kill -9 of the broker",
  async run(world) {
    await broker(world).kill();
    await acceptsGoOn(world);
    await pause(3_000);
    await broker(world).start();
  },
};

const frozenBroker: Fault = {
  name: "the broker is stopped for 12 s and continues",
  async run(world) {
    broker(world).pause();
    await acceptsGoOn(world);
    await pause(12_000);
    broker(world).resume();
  },
};

const awayAtBoot: Fault = {
  name: "the broker is away when the product starts",
  async run(world) {
    await broker(world).stop();
    await killNode.run(world, undefined as never);
    await acceptsGoOn(world);
    await broker(world).start();
  },
};

const flapping: Fault = {
  name: "the broker restarts three times",
  async run(world) {
    for (let round = 0; round < 3; round++) {
      await broker(world).kill();
      await broker(world).start();
      await pause(1_500);
    }
  },
};

/** Everything up to the end of each partition is deleted, read or not. */
const truncate: Fault = {
  name: "the log topic is truncated",
  run: (world) =>
    withAdmin(world, async (admin) => {
      for (const environment of environments) {
        const topic = logTopic(environment);
        // A broker that has just come back is not yet the leader of everything.
        await until(
          async () => {
            const offsets = await admin.fetchTopicOffsets(topic);
            await admin.deleteTopicRecords({
              topic,
              partitions: offsets.map(({ partition, high }) => ({ partition, offset: high })),
            });
            return true;
          },
          { timeoutMs: 20_000, what: `${topic} is truncated` },
        );
      }
    }),
};

/** While nobody reads, the topic loses what it has and the groups their offsets: the checkpoints are all that is left. */
const forgotten: Fault = {
  name: "the groups are deleted and the topic truncated while the product is down",
  async run(world) {
    world.journal.interruptions++;
    world.instance.kill("SIGKILL");
    await world.instance.exited;
    await truncate.run(world, undefined as never);
    await withAdmin(world, async (admin) => {
      // A group lives until its last member is noticed to be gone; those that could be deleted stay deleted.
      await until(
        async () => {
          const { groups } = await admin.listGroups();
          const own = groups.filter(({ groupId }) => groupId.startsWith("heliograph."));
          if (own.length === 0) return true;
          await admin.deleteGroups(own.map(({ groupId }) => groupId));
          return false;
        },
        { timeoutMs: 40_000, what: "the groups are deleted" },
      );
    });
    await world.start();
  },
};

const growth: Fault = {
  name: "the log topic gets one more partition",
  run: (world) =>
    withAdmin(world, async (admin) => {
      for (const environment of environments) {
        const topic = logTopic(environment);
        const count = (await admin.fetchTopicOffsets(topic)).length;
        await admin.createPartitions({ topicPartitions: [{ topic, count: count + 1 }] });
      }
    }),
};

/** Offsets begin at 0 again, below where every reader stands. */
const remade: Fault = {
  name: "the log topic is deleted and made again",
  run: (world) =>
    withAdmin(world, async (admin) => {
      for (const environment of environments) {
        const topic = logTopic(environment);
        const numPartitions = (await admin.fetchTopicOffsets(topic)).length;
        await admin.deleteTopics({ topics: [topic] });
        await until(
          () =>
            admin.createTopics({ topics: [{ topic, numPartitions }] }).then(
              () => true,
              () => false,
            ),
          { timeoutMs: 20_000, what: `${topic} is made again` },
        );
      }
    }),
};

const rebalances: Fault = {
  name: "a second copy joins and leaves, twice",
  async run(world) {
    for (let round = 0; round < 2; round++) await withStandby(world, () => pause(4_000));
  },
};

const relayPoints = ["relay.after_send", "relay.before_checkpoint", "topics.after_send"];

/** Everything that can happen to the engines' side; the other faults hold with Kafka as well. */
export const kafkaFaults: readonly Fault[] = [
  killBroker,
  frozenBroker,
  awayAtBoot,
  flapping,
  truncate,
  forgotten,
  growth,
  remade,
  rebalances,
  ...relayPoints.map(killAt),
];

/** What the short run of `npm test` does with a broker, in this order. */
export const shortKafkaFaults: readonly Fault[] = [killBroker, truncate, growth];
