import type { Service } from "@heliograph/runtime";
import { lifecycleProjector } from "./consumer.ts";

export { lifecycleProjector } from "./consumer.ts";

/** Publishes the per-partner feed of lifecycle events. */
export const service: Service = {
  name: "lifecycle",
  consumers: (context) => [lifecycleProjector(context.environment)],
};
