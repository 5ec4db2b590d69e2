import type { Service } from "@heliograph/api";
import { suppressionRoutes } from "./api/suppressions.ts";
import { unsubscribeRoutes } from "./api/unsubscribe.ts";
import { periodsProjector } from "./projector.ts";
import { keywordsReactor } from "./reactor.ts";

/** Recipients to whom nothing is sent, and the keywords that say so. */
export const service: Service = {
  name: "suppressions",
  api: {
    groups: [
      {
        tag: "suppressions",
        description: "Recipients to whom nothing is sent, and the keywords that say so.",
        routes: [...suppressionRoutes, ...unsubscribeRoutes],
      },
    ],
  },
  consumers: () => [periodsProjector, keywordsReactor],
};
