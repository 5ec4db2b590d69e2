import type { Service } from "@heliograph/api";
import { presenceRoutes } from "./presence/routes.ts";
import { teamsProjector } from "./teams/projector.ts";
import { teamRoutes } from "./teams/routes.ts";

/** Who answers: agents, teams, sign-in and sessions. */
export const service: Service = {
  name: "agents",
  api: {
    groups: [
      {
        tag: "agents",
        description: "Who answers: agents, teams, sign-in and sessions.",
        routes: [...presenceRoutes, ...teamRoutes],
      },
    ],
  },
  consumers: () => [teamsProjector],
};
