import type { Service } from "@heliograph/api";
import { deviceRoutes } from "./api/devices.ts";
import { deviceTables } from "./tables/devices.ts";

/** What an agent's phone needs: devices, deltas, attachments. */
export const service: Service = {
  name: "mobile",
  api: {
    groups: [
      {
        tag: "mobile",
        description: "What an agent's phone needs: devices, deltas, attachments.",
        routes: deviceRoutes,
      },
    ],
  },
  consumers: () => [],
  tables: [deviceTables],
};
