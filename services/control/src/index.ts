import type { ApiContext, Hosted, Service } from "@heliograph/api";
import { adminAuditRoutes, auditRoutes } from "./api/audit.ts";
import { adminKeyRoutes, keyRoutes } from "./api/keys.ts";
import { limitRoutes } from "./api/limits.ts";
import { gatewayRoutes } from "./api/gateways.ts";
import { partnerRoutes } from "./api/partners.ts";
import { openAuditTrail } from "./audit/trail.ts";
import { openExpiryNotices } from "./expiry-notices.ts";
import { openKeyUse } from "./key-use.ts";
import { priceRoutes } from "./api/prices.ts";
import { routingRoutes } from "./api/routing.ts";
import { senderPoolRoutes } from "./api/sender-pools.ts";
import { auditTables } from "./tables/audit.ts";
import { keyUseTables } from "./tables/key-use.ts";

export { auditTables, writeAudit } from "./tables/audit.ts";
export { DerivedCheck, entriesBetween } from "./audit/derived.ts";
export type { Source } from "./audit/entry.ts";
export { fromLog } from "./audit/from-log.ts";
export { type AuditedLog, logsOf } from "./audit/sealed.ts";
export { verifyAudit, type VerifiedAudit } from "./audit/verify.ts";

async function open(context: ApiContext): Promise<Hosted> {
  const use = openKeyUse(context);
  const notices = openExpiryNotices(context);
  const trail = await openAuditTrail(context);
  return {
    ...trail,
    used: use.used,
    async close() {
      await notices.close();
      await use.close();
      await trail.close();
    },
  };
}

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
      {
        tag: "senders",
        description: "Pools of senders, of which each recipient sees one.",
        routes: senderPoolRoutes,
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
        routes: [
          ...partnerRoutes,
          ...gatewayRoutes,
          ...routingRoutes,
          ...adminKeyRoutes,
          ...adminAuditRoutes,
        ],
      },
    ],
    open,
  },
  tables: [auditTables, keyUseTables],
};
