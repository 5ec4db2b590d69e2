import type { Service } from "@heliograph/api";
import { activityProjector } from "./activity.ts";
import { consentRoutes } from "./api/consents.ts";
import { contactRoutes } from "./api/contacts.ts";
import { duplicateRoutes } from "./api/duplicates.ts";
import { importRoutes } from "./api/imports.ts";
import { matchingReactor } from "./matching/reactor.ts";
import { sendersProjector } from "./matching/senders.ts";
import { listRoutes } from "./api/list-routes.ts";
import { mergeRoutes } from "./api/merge.ts";
import { erasureReactor } from "./erasure/reactor.ts";
import { erasureRoutes } from "./erasure/routes.ts";
import { importsReactor } from "./imports/importer.ts";
import { mergeReactor } from "./merge/reactor.ts";
import { contactsProjector } from "./projector.ts";
import { importTables } from "./tables/imports.ts";

export { type ReachOf, reachOf } from "./address.ts";
export { contactsSchema } from "./projector.ts";
export {
  type AudienceFields,
  type Reached,
  countAudience,
  readAddresses,
  readAudience,
  readFields,
} from "./tables/audience.ts";

/** People and their external ids: matching, merging, importing, erasing. */
export const service: Service = {
  name: "contacts",
  api: {
    groups: [
      {
        tag: "contacts",
        description: "People and their external ids: matching, merging, importing, erasing.",
        routes: [
          ...listRoutes,
          ...contactRoutes,
          ...mergeRoutes,
          ...erasureRoutes,
          ...importRoutes,
          ...duplicateRoutes,
          ...consentRoutes,
        ],
      },
    ],
  },
  consumers: (context) => [
    contactsProjector(context),
    activityProjector,
    sendersProjector,
    matchingReactor,
    mergeReactor,
    erasureReactor,
    importsReactor,
  ],
  tables: [importTables],
};
