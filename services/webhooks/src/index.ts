import type { Service } from "@heliograph/runtime";
import { webhooksReactor } from "./reactor.ts";

export { webhooksReactor } from "./reactor.ts";

/** Signs lifecycle events and delivers them to the partners' endpoints. */
export const service: Service = { name: "webhooks", consumers: () => [webhooksReactor()] };
