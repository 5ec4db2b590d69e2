import type { Service } from "@heliograph/api";
import { broadcastsReactor } from "./broadcasts/reactor.ts";
import { broadcastRoutes } from "./broadcasts/routes.ts";
import { messageRoutes } from "./messages/routes.ts";
import { replyRoutes } from "./messages/replies.ts";
import { openSending } from "./messages/state.ts";

/** Accepts messages, one by one and for many contacts at once. */
export const service: Service = {
  name: "ingress",
  api: {
    groups: [
      {
        tag: "messages",
        description: "Send, follow and cancel messages.",
        routes: [...messageRoutes, ...replyRoutes],
      },
      {
        tag: "broadcasts",
        description: "Send one message to many contacts, and see how far that is.",
        routes: broadcastRoutes,
      },
    ],
    open: openSending,
  },
  consumers: () => [broadcastsReactor()],
};
