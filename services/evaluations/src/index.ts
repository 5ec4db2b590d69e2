import type { Service } from "@heliograph/api";
import { adminRoutes } from "./api/admin.ts";
import { accessRoutes } from "./api/access-page.ts";
import { formRoutes } from "./api/form.ts";
import { requestRoutes } from "./api/request.ts";
import { rotaRoutes } from "./api/rota.ts";
import { takeRoutes } from "./api/take-page.ts";
import { evaluationsProjector } from "./projector.ts";
import { deskReactor } from "./reactor.ts";

/** Who wants to try the platform: a tenant, a key by a link, a contact, and a promise. */
export const service: Service = {
  name: "evaluations",
  api: {
    groups: [
      {
        tag: "evaluations",
        description: "Who wants to try the platform: a tenant, a key by a link, a contact.",
        routes: [
          ...requestRoutes,
          ...formRoutes,
          ...accessRoutes,
          ...takeRoutes,
          ...rotaRoutes,
          ...adminRoutes,
        ],
      },
    ],
  },
  platformConsumers: (context) => [evaluationsProjector, deskReactor(context)],
};
