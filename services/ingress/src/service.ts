import type { Service } from "@heliograph/api";
import { broadcastsReactor } from "./broadcasts/reactor.ts";
import { broadcastRoutes } from "./broadcasts/routes.ts";
import { forkRoutes } from "./forks/routes.ts";
import { openForks } from "./forks/runner.ts";
import { messageRoutes } from "./messages/routes.ts";
import { replyRoutes } from "./messages/replies.ts";
import { forkTables } from "./tables/forks.ts";
import { previewTables } from "./tables/previews.ts";

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
      {
        tag: "forks",
        description: "A partner's past in its sandbox, without a person in it, for operators.",
        routes: forkRoutes,
      },
    ],
    open: openForks,
  },
  tables: [forkTables, previewTables],
  consumers: () => [broadcastsReactor()],
};
