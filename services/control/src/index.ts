import type { Service } from "@heliograph/api";
import { auditRoutes } from "./api/audit.ts";
import { adminKeyRoutes, keyRoutes } from "./api/keys.ts";
import { partnerRoutes } from "./api/partners.ts";
import { openAuditTrail } from "./audit-trail.ts";
import { priceRoutes } from "./api/prices.ts";
import { auditTables } from "./tables/audit.ts";

export { auditTables, writeAudit } from "./tables/audit.ts";

/** Partners, their keys, and who did what. */
export const service: Service = {
  name: "control",
  api: {
    groups: [
      { tag: "prices", description: "What messages cost.", routes: priceRoutes },
      { tag: "keys", description: "API keys of the partner.", routes: keyRoutes },
      {
        tag: "administration",
        description: "Partners and the audit, for operators.",
        routes: [...partnerRoutes, ...adminKeyRoutes, ...auditRoutes],
      },
    ],
    open: openAuditTrail,
  },
  tables: [auditTables],
};
