import { gatewaysDdl } from "./tables/gateways.ts";
import { reactor, type Reactor } from "@heliograph/runtime";
import { startDispatcher } from "./dispatcher.ts";
import { createGatewayPool } from "./gateway-pool.ts";
import { ddl, partnersDdl } from "./store.ts";

/** Sends the messages whose funds are held: the window reactor described in the README. Its shards in one process share the gateways. */
export function dispatchReactor(): Reactor {
  const pool = createGatewayPool();
  return reactor({
    name: "dispatch",
    kind: "reactor",
    schema: "dispatch",
    types: ["MessageRequested", "FundsHeld", "BounceDeferred", "MessageCanceled"],
    sharded: true,
    migrations: [`${ddl}${gatewaysDdl}`, partnersDdl],
    start: (tools) => startDispatcher(tools, pool),
  });
}
