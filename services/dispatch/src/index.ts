import type { Service } from "@heliograph/api";
import { explainRoute } from "./api/explain.ts";
import { gatewayRoutes } from "./api/gateways.ts";
import { backtestRoutes } from "./backtests/routes.ts";
import { openBacktests } from "./backtests/runner.ts";
import { dispatchReactor } from "./consumer.ts";
import { playedReceiptsReactor } from "./played-receipts.ts";
import { backtestTables } from "./tables/backtests.ts";

export { overdueTimers } from "./store.ts";
export { readGatewayHealth } from "./tables/gateways.ts";

/** Sends messages through gateways, and plays the simulated providers' receipts. */
export const service: Service = {
  name: "dispatch",
  api: {
    groups: [
      {
        tag: "gateways",
        description: "Connections to providers and how they do.",
        routes: [...gatewayRoutes, explainRoute],
      },
      {
        tag: "backtests",
        description: "Rules tried on messages of the past, for operators.",
        routes: backtestRoutes,
      },
    ],
    open: openBacktests,
  },
  consumers: () => [dispatchReactor(), playedReceiptsReactor],
  tables: [backtestTables],
};
