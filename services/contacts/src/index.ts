import type { Service } from "@heliograph/api";
import { listRoutes } from "./api/list-routes.ts";
import { contactsProjector } from "./projector.ts";

/** People and their external ids: matching, merging, importing, erasing. */
export const service: Service = {
  name: "contacts",
  api: {
    groups: [
      {
        tag: "contacts",
        description: "People and their external ids: matching, merging, importing, erasing.",
        routes: listRoutes,
      },
    ],
  },
  consumers: (context) => [contactsProjector(context)],
};
