import { expect, it } from "vitest";
import { shortEventStoreFaults } from "./eventstore-faults.ts";
import { seededRandom } from "./random.ts";
import { runRound } from "./round.ts";
import { openWorld } from "./world.ts";

it("loses and repeats nothing when EventStoreDB cuts connections, ends subscriptions and refuses appends", async () => {
  const random = seededRandom(20_261_125);
  const world = await openWorld(random, { log: "eventstoredb" });
  try {
    const round = await runRound(world, shortEventStoreFaults, random, 25);
    expect(round.violations, world.instance.output().slice(-2_000)).toEqual([]);
    expect(round.accepted).toBeGreaterThan(30);
  } finally {
    await world.close();
  }
}, 120_000);
