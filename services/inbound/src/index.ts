import type { Service } from "@heliograph/api";

/** What comes from people: received once, kept as it came, and told apart by sender. */
export const service: Service = {
  name: "inbound",
  api: {
    groups: [
      {
        tag: "inbound",
        description:
          "What comes from people: received once, kept as it came, and told apart by sender.",
        routes: [],
      },
    ],
  },
  consumers: () => [],
};
