import { gatewaysDdl, slowDdl, throttledDdl } from "./tables/gateways.ts";
import { troubleDdl } from "./tables/trouble.ts";
import { limitTables, prepareTables, reactor, type Reactor } from "@heliograph/runtime";
import { startDispatcher } from "./dispatcher.ts";
import { createGatewayPool } from "./gateway-pool.ts";
import { ddl, decidedDdl, partnersDdl, revisionsDdl, setAtDdl } from "./store.ts";

/** Sends the messages whose funds are held: the window reactor described in the README. Its shards in one process share the gateways. */
export function dispatchReactor(): Reactor {
  const pool = createGatewayPool();
  return reactor({
    name: "dispatch",
    kind: "reactor",
    schema: "dispatch",
    types: [
      "MessageRequested",
      "FundsHeld",
      "BounceDeferred",
      "FailoverStarted",
      "MessageCanceled",
    ],
    spaces: { timers: "partner" },
    sharded: true,
    migrations: [
      `${ddl}${gatewaysDdl}`,
      partnersDdl,
      revisionsDdl,
      decidedDdl,
      troubleDdl,
      setAtDdl,
      slowDdl,
      throttledDdl,
    ],
    async start(tools) {
      const { pool: database, settings } = tools.context;
      // Undivided, one copy at a time dispatches.
      const sharesRates =
        (settings.limits ?? (tools.shard === undefined ? "memory" : "postgres")) === "postgres";
      if (sharesRates) await prepareTables(database, [limitTables]);
      return startDispatcher(tools, pool, sharesRates);
    },
  });
}
