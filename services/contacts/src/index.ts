import type { Service } from "@heliograph/api";

/** People and their external ids: matching, merging, importing, erasing. */
export const service: Service = {
  name: "contacts",
  api: {
    groups: [
      {
        tag: "contacts",
        description: "People and their external ids: matching, merging, importing, erasing.",
        routes: [],
      },
    ],
  },
  consumers: () => [],
};
