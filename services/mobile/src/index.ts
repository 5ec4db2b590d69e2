import type { Service } from "@heliograph/api";
import { attachmentTables } from "@heliograph/attachments";
import { attachmentRoutes } from "./api/attachments.ts";
import { deviceRoutes } from "./api/devices.ts";
import { pushRoutes } from "./api/pushes.ts";
import { syncRoutes } from "./api/sync.ts";
import { attachments } from "./attachments/hosted.ts";
import { syncProjector } from "./projector.ts";
import { pushReactor } from "./push/reactor.ts";
import { receivedReactor } from "./received/reactor.ts";
import { deviceTables } from "./tables/devices.ts";

/** What an agent's phone needs: devices, deltas, attachments. */
export const service: Service = {
  name: "mobile",
  api: {
    groups: [
      {
        tag: "mobile",
        description: "What an agent's phone needs: devices, deltas, attachments.",
        routes: [...deviceRoutes, ...pushRoutes, ...syncRoutes, ...attachmentRoutes],
      },
    ],
    open: attachments.open,
  },
  consumers: () => [syncProjector, pushReactor, receivedReactor],
  tables: [deviceTables, attachmentTables],
};
