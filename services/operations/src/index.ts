import type { Service } from "@heliograph/api";
import { deadLetterRoutes } from "./api/dead-letters.ts";
import { logRoutes } from "./api/log.ts";
import { projectionRoutes } from "./api/projections.ts";
import { stateRoutes } from "./api/state.ts";

/** How the consumers of all services do, rebuilds, and what they had to set aside. */
export const service: Service = {
  name: "operations",
  api: {
    groups: [
      {
        tag: "operations",
        description: "Consumers, rebuilds, dead letters and the log, for operators.",
        routes: [...stateRoutes, ...projectionRoutes, ...deadLetterRoutes, ...logRoutes],
      },
    ],
  },
};
