import type { Service } from "@heliograph/api";
import { adminAuditRoutes, auditRoutes } from "./api/audit.ts";
import { adminKeyRoutes, keyRoutes } from "./api/keys.ts";
import { limitRoutes } from "./api/limits.ts";
import { partnerRoutes } from "./api/partners.ts";
import { openAuditTrail } from "./audit/trail.ts";
import { priceRoutes } from "./api/prices.ts";
import { auditTables } from "./tables/audit.ts";

export { auditTables, writeAudit } from "./tables/audit.ts";
export { verifyAudit, type VerifiedAudit } from "./audit/verify.ts";

/** Partners, their keys, and who did what. */
export const service: Service = {
  name: "control",
  api: {
    groups: [
      { tag: "prices", description: "What messages cost.", routes: priceRoutes },
      {
        tag: "limits",
        description: "How much you may ask and send.",
        routes: limitRoutes,
      },
      { tag: "keys", description: "API keys of the partner.", routes: keyRoutes },
      {
        tag: "audit",
        description: "Who did what, and what was refused.",
        routes: auditRoutes,
      },
      {
        tag: "administration",
        description: "Partners and the audit, for operators.",
        routes: [...partnerRoutes, ...adminKeyRoutes, ...adminAuditRoutes],
      },
    ],
    open: openAuditTrail,
  },
  tables: [auditTables],
};
