import type { Service } from "@heliograph/api";
import { agentRoutes } from "./api/agents.ts";
import { meRoutes } from "./api/me.ts";
import { recoveryRoutes } from "./api/recovery.ts";
import { sessionRoutes } from "./api/sessions.ts";
import { desk } from "./desk.ts";
import { presenceRoutes } from "./presence/routes.ts";
import { sessionTables } from "./tables/sessions.ts";
import { teamsProjector } from "./teams/projector.ts";
import { teamRoutes } from "./teams/routes.ts";

export { standingAnswers } from "./tables/answers.ts";

/** Who answers: agents, teams, sign-in and sessions. */
export const service: Service = {
  name: "agents",
  api: {
    groups: [
      {
        tag: "agents",
        description: "Who answers: agents, teams, sign-in and sessions.",
        routes: [...agentRoutes, ...presenceRoutes, ...teamRoutes, ...meRoutes, ...recoveryRoutes],
      },
      { tag: "mobile", description: "What the app of agents uses.", routes: sessionRoutes },
    ],
    open: desk.open,
  },
  tables: [sessionTables],
  consumers: () => [teamsProjector],
};
