import type { Service } from "@heliograph/api";

/** Who answers: agents, teams, sign-in and sessions. */
export const service: Service = {
  name: "agents",
  api: {
    groups: [
      {
        tag: "agents",
        description: "Who answers: agents, teams, sign-in and sessions.",
        routes: [],
      },
    ],
  },
  consumers: () => [],
};
