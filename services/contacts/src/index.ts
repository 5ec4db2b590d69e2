import type { Service } from "@heliograph/api";
import { activityProjector } from "./activity.ts";
import { contactRoutes } from "./api/contacts.ts";
import { mergeRoutes } from "./api/merge.ts";
import { mergeReactor } from "./merge/reactor.ts";
import { listRoutes } from "./api/list-routes.ts";
import { erasureReactor } from "./erasure/reactor.ts";
import { erasureRoutes } from "./erasure/routes.ts";
import { contactsProjector } from "./projector.ts";

/** People and their external ids: matching, merging, importing, erasing. */
export const service: Service = {
  name: "contacts",
  api: {
    groups: [
      {
        tag: "contacts",
        description: "People and their external ids: matching, merging, importing, erasing.",
        routes: [...listRoutes, ...contactRoutes, ...mergeRoutes, ...erasureRoutes],
      },
    ],
  },
  consumers: (context) => [
    contactsProjector(context),
    activityProjector,
    mergeReactor,
    erasureReactor,
  ],
};
