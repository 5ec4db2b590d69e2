import type { Service } from "@heliograph/api";
import { messageReadRoutes } from "./api/messages.ts";
import { overviewRoutes } from "./api/overview.ts";
import { sandboxReceiptRoutes } from "./api/sandbox-receipts.ts";
import { callbacksReactor } from "./callbacks/reactor.ts";
import { messagesProjector } from "./projector.ts";
import { receiptsReactor } from "./reactor.ts";

export { refoldCallbacks, type Refolded, type RefoldRequest } from "./callbacks/refold.ts";
export { messagesProjector } from "./projector.ts";
export { receiptsReactor } from "./reactor.ts";
export { waitingReports } from "./tables/waiting.ts";

/** Folds receipts and refunds into the facts of a message and keeps the index that lists are made from. */
export const service: Service = {
  name: "delivery",
  api: {
    groups: [
      {
        tag: "messages",
        description: "Send, follow and cancel messages.",
        routes: [...messageReadRoutes, ...overviewRoutes],
      },
      {
        tag: "sandbox",
        description: "Your sandbox as a whole: its receipts, its time.",
        routes: sandboxReceiptRoutes,
      },
    ],
  },
  consumers: (context) => [messagesProjector(context), receiptsReactor, callbacksReactor],
};
