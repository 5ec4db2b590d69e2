import { afterEach, beforeEach, expect, test } from "vitest";
import { createGatewayPool, partOf } from "../src/gateway-pool.ts";
import { openWorld, type World } from "./harness.ts";

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());

test("who has taken room is told last of the next", async () => {
  const pool = createGatewayPool();
  const told: string[] = [];
  const [one, two, three] = ["one", "two", "three"].map((name) =>
    pool.use(world.context, () => told.push(name)),
  );
  const connection = one!.connections.all[0]!;
  const next = (): string[] => {
    one!.connections.released(connection);
    return told.splice(0);
  };
  expect(next()).toEqual(["one", "two", "three"]);
  one!.took();
  expect(next()).toEqual(["two", "three", "one"]);
  three!.took();
  expect(next()).toEqual(["two", "one", "three"]);
  // One that is gone is not told again because it took.
  await two!.release();
  two!.took();
  expect(next()).toEqual(["one", "three"]);
  await one!.release();
  await three!.release();
});

test("the calls at once of all processes together are as many as the gateway takes, however the shards are divided", () => {
  const shards = Array.from({ length: 8 }, (_, index) => ({ index, count: 8 }));
  for (const calls of [8, 13, 256])
    for (let divided = 1; divided < 8; divided++) {
      const part = (own: typeof shards): number => partOf(calls, new Set(own));
      expect(part(shards.slice(0, divided)) + part(shards.slice(divided))).toBe(calls);
    }
  expect(partOf(2, new Set([shards[0]!]))).toBe(1);
  expect(partOf(256, new Set())).toBe(256);
});

test("a process has as many calls at once as its shards, and more or fewer as they come and go", async () => {
  const pool = createGatewayPool();
  const of = (index: number) =>
    pool.use(world.context, () => undefined, { shard: { index, count: 4 } });
  const one = of(0);
  const connection = one.connections.all[0]!;
  expect(connection.config.max_concurrent).toBe(16);
  const two = of(3);
  expect(connection.config.max_concurrent).toBe(32);
  await one.release();
  expect(connection.config.max_concurrent).toBe(16);
  world.configure(
    world.context.directory.gateways("sandbox").map((each) => ({ ...each, max_concurrent: 128 })),
  );
  expect(two.connections.all[0]!.config.max_concurrent).toBe(32);
  await two.release();
});
