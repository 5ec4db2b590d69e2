import type { Service } from "@heliograph/api";
import { templatesProjector } from "./consumers/templates.ts";
import { messageRoutes } from "./messages/routes.ts";
import { openSending } from "./messages/state.ts";
import { templateRoutes } from "./routes/templates.ts";

/** Accepts messages. The read models of the API's own things: of several ingress processes one keeps them. */
export const service: Service = {
  name: "ingress",
  api: {
    groups: [
      { tag: "messages", description: "Send, follow and cancel messages.", routes: messageRoutes },
      {
        tag: "templates",
        description: "Texts with variables, in languages and versions.",
        routes: templateRoutes,
      },
    ],
    open: openSending,
  },
  consumers: () => [templatesProjector],
};
