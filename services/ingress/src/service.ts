import type { Service } from "@heliograph/api";
import { messageRoutes } from "./messages/routes.ts";
import { replyRoutes } from "./messages/replies.ts";
import { openSending } from "./messages/state.ts";

/** Accepts messages. */
export const service: Service = {
  name: "ingress",
  api: {
    groups: [
      {
        tag: "messages",
        description: "Send, follow and cancel messages.",
        routes: [...messageRoutes, ...replyRoutes],
      },
    ],
    open: openSending,
  },
};
