import type { Service } from "@heliograph/api";
import { webhookDeliveryRoute } from "./api/delivery.ts";
import { webhookDeliveryRoutes } from "./api/deliveries.ts";
import { webhookEndpointRoutes } from "./api/endpoints.ts";
import { webhookReplayRoutes } from "./api/replays.ts";
import { webhookStatisticsRoute } from "./api/statistics.ts";
import { openNoticeMails } from "./mails.ts";
import { webhooksReactor } from "./reactor.ts";

export { webhooksReactor } from "./reactor.ts";
export { resealEndpoints } from "./reseal.ts";
export { failingEndpoints, overdueDeliveries } from "./tables/waiting.ts";

/** Signs lifecycle events and delivers them to the partners' endpoints. */
export const service: Service = {
  name: "webhooks",
  api: {
    groups: [
      {
        tag: "webhooks",
        description: "Endpoints, their deliveries, and replays.",
        routes: [
          ...webhookEndpointRoutes,
          ...webhookDeliveryRoutes,
          webhookDeliveryRoute,
          webhookStatisticsRoute,
          ...webhookReplayRoutes,
        ],
      },
    ],
    open: async (context) => openNoticeMails(context),
  },
  consumers: () => [webhooksReactor()],
};
