import type { Service } from "@heliograph/api";
import { asyncapiRoutes } from "./api/asyncapi-routes.ts";
import { consumerRoutes } from "./api/consumers.ts";
import { eventRoutes } from "./api/events.ts";
import { webhookItems } from "./api/openapi-webhooks.ts";
import { lifecycleProjector } from "./consumer.ts";
import { consumerTables } from "./tables/consumers.ts";
import { topicsReactor } from "./topics/reactor.ts";

export { asyncapiDocument } from "./api/asyncapi.ts";
export { lifecycleProjector } from "./consumer.ts";

/** Publishes the per-partner feed of lifecycle events, and the public topics where there are brokers. */
export const service: Service = {
  name: "lifecycle",
  api: {
    groups: [
      {
        tag: "events",
        description: "The feed of lifecycle events, and the document of the public topics.",
        routes: [...eventRoutes, ...consumerRoutes, ...asyncapiRoutes],
      },
    ],
    webhooks: webhookItems,
  },
  tables: [consumerTables],
  consumers: ({ environment, settings }) => [
    lifecycleProjector(environment),
    ...(settings.kafka === undefined ? [] : [topicsReactor(settings.kafka)]),
  ],
};
