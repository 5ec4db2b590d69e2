import type { Service } from "@heliograph/runtime";
import { messagesProjector } from "./projector.ts";
import { receiptsReactor } from "./reactor.ts";

export { messagesProjector } from "./projector.ts";
export { receiptsReactor } from "./reactor.ts";

/** Folds receipts and refunds into the facts of a message and keeps the index that lists are made from. */
export const service: Service = {
  name: "delivery",
  consumers: (context) => [messagesProjector(context.log), receiptsReactor],
};
