import type { Service } from "@heliograph/api";
import { assignmentReactor } from "./assignment/reactor.ts";

/** Threads with people: inbox, history, assignment, targets. */
export const service: Service = {
  name: "conversations",
  api: {
    groups: [
      {
        tag: "conversations",
        description: "Threads with people: inbox, history, assignment, targets.",
        routes: [],
      },
    ],
  },
  consumers: () => [assignmentReactor],
};
