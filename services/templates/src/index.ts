import type { Service } from "@heliograph/api";
import { templateRoutes } from "./api/templates.ts";
import { templatesProjector } from "./projector.ts";

/** Texts with variables, in languages and versions. Sends read them from the log. */
export const service: Service = {
  name: "templates",
  api: {
    groups: [
      {
        tag: "templates",
        description: "Texts with variables, in languages and versions.",
        routes: templateRoutes,
      },
    ],
  },
  consumers: () => [templatesProjector],
};
