import type { Route } from "../route.ts";
import { adminAuditRoutes } from "./admin-audit.ts";
import { adminDeadLetterRoutes } from "./admin-dead-letters.ts";
import { adminPartnerRoutes } from "./admin-partners.ts";
import { adminProjectionRoutes } from "./admin-projections.ts";
import { consoleRoutes } from "./console.ts";
import { eventRoutes } from "./events.ts";
import { gatewayRoutes } from "./gateways.ts";
import { keyRoutes } from "./keys.ts";
import { serviceRoutes } from "./service.ts";
import { templateRoutes } from "./templates.ts";
import { walletRoutes } from "./wallet.ts";
import { webhookDeliveryRoutes } from "./webhook-deliveries.ts";
import { webhookEndpointRoutes } from "./webhook-endpoints.ts";
import { webhookReplayRoutes } from "./webhook-replays.ts";

/** Every endpoint that does not send messages; each area is one file that exports its routes. */
export const routes: readonly Route[] = [
  ...templateRoutes,
  ...walletRoutes,
  ...gatewayRoutes,
  ...webhookEndpointRoutes,
  ...webhookDeliveryRoutes,
  ...webhookReplayRoutes,
  ...eventRoutes,
  ...keyRoutes,
  ...adminPartnerRoutes,
  ...adminProjectionRoutes,
  ...adminDeadLetterRoutes,
  ...adminAuditRoutes,
  ...serviceRoutes,
  ...consoleRoutes,
];
