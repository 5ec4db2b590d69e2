import { afterEach, beforeEach, expect, test } from "vitest";
import { createGatewayPool } from "../src/gateway-pool.ts";
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
