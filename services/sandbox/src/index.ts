import type { Service } from "@heliograph/api";
import { clockRoutes } from "./api/clock.ts";
import { resetRoutes } from "./api/reset.ts";

/** What a partner does with its sandbox as a whole. It only answers calls, and so has no process of its own. */
export const service: Service = {
  name: "sandbox",
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
