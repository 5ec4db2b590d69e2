import { testKafka } from "@heliograph/testkit";
import { expect, it } from "vitest";
import { shortKafkaFaults } from "./kafka-faults.ts";
import { seededRandom } from "./random.ts";
import { runRound } from "./round.ts";
import { openWorld } from "./world.ts";

const kafka = await testKafka();

it.skipIf(kafka.skip)(
  "loses and repeats nothing when the broker is killed, the log topic is truncated and grows",
  async () => {
    const random = seededRandom(20_261_124);
    const world = await openWorld(random, { feed: "kafka" });
    try {
      const round = await runRound(world, shortKafkaFaults, random, 40);
      expect(round.violations, world.instance.output().slice(-2_000)).toEqual([]);
      expect(round.accepted).toBeGreaterThan(50);
    } finally {
      await world.close();
    }
  },
  240_000,
);
