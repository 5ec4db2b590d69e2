import type { Service } from "@heliograph/api";

/** Recipients to whom nothing is sent, and the keywords that say so. */
export const service: Service = {
  name: "suppressions",
  api: {
    groups: [
      {
        tag: "suppressions",
        description: "Recipients to whom nothing is sent, and the keywords that say so.",
        routes: [],
      },
    ],
  },
  consumers: () => [],
};
