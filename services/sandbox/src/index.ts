import type { Service } from "@heliograph/api";
import { clockRoutes } from "./api/clock.ts";
import { resetRoutes } from "./api/reset.ts";
import { remainsReactor, resetsReactor } from "./ended.ts";

/** What a partner does with its sandbox as a whole, and what becomes of a space that a reset ended. */
export const service: Service = {
  name: "sandbox",
  consumers: ({ environment }) => (environment === "sandbox" ? [remainsReactor] : []),
  platformConsumers: (context) => [resetsReactor(context)],
  api: {
    groups: [
      {
        tag: "sandbox",
        description: "Your sandbox as a whole: its time, and its beginning.",
        routes: [...clockRoutes, ...resetRoutes],
      },
    ],
  },
};
