import type { Service } from "@heliograph/api";
import { assignmentRoutes } from "./assignment/routes.ts";
import { assignmentReactor } from "./assignment/reactor.ts";
import { conversationRoutes } from "./api/conversations.ts";
import { conversationsProjector } from "./projector.ts";
import { threadsReactor } from "./reactor.ts";

/** Threads with people: what they write, who answers, and what became of it. */
export const service: Service = {
  name: "conversations",
  api: {
    groups: [
      {
        tag: "conversations",
        description: "Threads with people: inbox, history, notes, assignment.",
        routes: [...conversationRoutes, ...assignmentRoutes],
      },
    ],
  },
  consumers: (context) => [conversationsProjector(context), threadsReactor, assignmentReactor],
};
