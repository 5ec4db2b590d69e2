import { expect, it } from "vitest";
import { shortFaults } from "./faults.ts";
import { seededRandom } from "./random.ts";
import { runRound } from "./round.ts";
import { openWorld } from "./world.ts";

it("loses and repeats nothing through kills, cut sessions, a restart and foul receivers", async () => {
  const random = seededRandom(20_260_523);
  const world = await openWorld(random);
  try {
    const round = await runRound(world, shortFaults, random, 40);
    expect(round.violations, world.instance.output().slice(-2_000)).toEqual([]);
    expect(round.accepted).toBeGreaterThan(50);
  } finally {
    await world.close();
  }
}, 120_000);
