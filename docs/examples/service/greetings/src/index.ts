import type { Service } from "@heliograph/api";
import { greetingRoutes } from "./api/greetings.ts";
import { greetingsProjector } from "./projector.ts";
import { wordTables } from "./tables/words.ts";

/** Greets, and counts whom. */
export const service: Service = {
  name: "greetings",
  api: {
    groups: [{ tag: "greetings", description: "Greet, and see whom.", routes: greetingRoutes }],
  },
  consumers: () => [greetingsProjector],
  tables: [wordTables],
};
