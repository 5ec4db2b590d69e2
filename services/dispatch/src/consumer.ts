import { gatewaysDdl } from "@heliograph/read-models";
import type { Reactor } from "@heliograph/runtime";
import { startDispatcher } from "./dispatcher.ts";
import { ddl } from "./store.ts";

/** Sends the messages whose funds are held: the window reactor described in the README. */
export const dispatchReactor: Reactor = {
  name: "dispatch",
  kind: "reactor",
  schema: "dispatch",
  types: ["MessageRequested", "FundsHeld", "BounceDeferred", "MessageCanceled"],
  ddl: `${ddl}${gatewaysDdl}`,
  start: startDispatcher,
};
