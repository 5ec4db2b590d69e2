import type { Service } from "@heliograph/runtime";
import { lifecycleProjector } from "./consumer.ts";
import { topicsReactor } from "./topics/reactor.ts";

export { lifecycleProjector } from "./consumer.ts";

/** Publishes the per-partner feed of lifecycle events, and the public topics where there are brokers. */
export const service: Service = {
  name: "lifecycle",
  consumers: ({ environment, settings }) => [
    lifecycleProjector(environment),
    ...(settings.kafka === undefined ? [] : [topicsReactor(settings.kafka)]),
  ],
};
