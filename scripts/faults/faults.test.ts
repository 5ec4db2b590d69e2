import { expect, it } from "vitest";
import { shortFaults, watchOwners } from "./faults.ts";
import { behindOneAddress } from "./front-faults.ts";
import { seededRandom } from "./random.ts";
import { runRound } from "./round.ts";
import { openWorld } from "./world.ts";

it("loses and repeats nothing through kills, cut sessions, foul receivers, and kill and stop of two copies behind one address", async () => {
  const random = seededRandom(20_260_523);
  const world = await openWorld(random);
  try {
    const round = await runRound(world, [...shortFaults, behindOneAddress], random, 40);
    expect(round.violations, world.instance.output().slice(-2_000)).toEqual([]);
    expect(round.accepted).toBeGreaterThan(50);
  } finally {
    await world.close();
  }
}, 180_000);

it("takes dispatch for owned once each of its shards has had one owner who committed and left nothing of his predecessors", () => {
  const areOwned = watchOwners();
  const shard = (index: number, epoch: number, position: number, left = 0) => ({
    name: `dispatch/${index}`,
    epoch,
    position: String(position),
    left,
  });
  expect(areOwned([])).toBe(false);
  expect(areOwned([shard(0, 1, 10), shard(1, 4, 10)])).toBe(false);
  expect(areOwned([shard(0, 1, 20), shard(1, 4, 10)])).toBe(false);
  expect(areOwned([shard(0, 1, 20), shard(1, 4, 20, 3)])).toBe(false);
  // Another owner of the one: it has to commit as well.
  expect(areOwned([shard(0, 2, 30), shard(1, 4, 30)])).toBe(false);
  expect(areOwned([shard(0, 2, 40), shard(1, 4, 30)])).toBe(true);
});
