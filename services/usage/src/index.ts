import type { Service } from "@heliograph/api";
import { usageRoutes } from "./api/usage.ts";
import { usageProjector } from "./projector.ts";

/** What was sent, what became of it, how long it took and what it cost, from rollups of hours and days. */
export const service: Service = {
  name: "usage",
  api: {
    groups: [
      {
        tag: "usage",
        description: "What was sent, what became of it, and what it cost.",
        routes: usageRoutes,
      },
    ],
  },
  consumers: (context) => [usageProjector(context)],
};
