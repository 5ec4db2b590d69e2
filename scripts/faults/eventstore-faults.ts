import { setTimeout as pause } from "node:timers/promises";
import type { EventStoreDouble } from "@heliograph/testkit";
import type { Fault } from "./faults.ts";
import type { World } from "./world.ts";

/** What is done to the log's server while messages come in. */
const server = (world: World): EventStoreDouble => {
  if (world.eventStore === undefined) throw new Error("this world has no EventStoreDB");
  return world.eventStore;
};

const cuts: Fault = {
  name: "every connection to EventStoreDB is cut, five times",
  async run(world) {
    for (let round = 0; round < 5; round++) {
      world.journal.interruptions++;
      server(world).cut();
      await pause(600);
    }
  },
};

/** Everything that can happen to the log's server; the other faults hold with it as well. */
export const eventStoreFaults: readonly Fault[] = [cuts];
