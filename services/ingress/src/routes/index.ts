import type { Route } from "../route.ts";
import { eventRoutes } from "./events.ts";
import { serviceRoutes } from "./service.ts";
import { walletRoutes } from "./wallet.ts";
import { webhookDeliveryRoutes } from "./webhook-deliveries.ts";
import { webhookEndpointRoutes } from "./webhook-endpoints.ts";

/** Every endpoint that does not send messages; each area is one file that exports its routes. */
export const routes: readonly Route[] = [
  ...walletRoutes,
  ...webhookEndpointRoutes,
  ...webhookDeliveryRoutes,
  ...eventRoutes,
  ...serviceRoutes,
];
