import type { Service } from "@heliograph/runtime";
import { dispatchReactor } from "./consumer.ts";
import { playedReceiptsReactor } from "./played-receipts.ts";

/** Sends messages through gateways, and plays the simulated providers' receipts. */
export const service: Service = {
  name: "dispatch",
  consumers: () => [dispatchReactor(), playedReceiptsReactor],
};
