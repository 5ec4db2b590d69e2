import type { Service } from "@heliograph/api";

/** What an agent's phone needs: devices, deltas, attachments. */
export const service: Service = {
  name: "mobile",
  api: {
    groups: [
      {
        tag: "mobile",
        description: "What an agent's phone needs: devices, deltas, attachments.",
        routes: [],
      },
    ],
  },
  consumers: () => [],
};
