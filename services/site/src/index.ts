import { onBehalfHeader, onBehalfOf, type Service } from "@heliograph/api";
import { SitePages } from "./web.ts";

export { changesOf } from "./changes.ts";
export { ownFiles } from "./files.ts";
export type { Changes } from "./site.ts";

/** The public site: what people and search engines read. It asks the platform over its public routes alone. */
export const service: Service = {
  name: "site",
  web: async ({ settings, logger, apiUrl, masterKey }) =>
    new SitePages({
      settings,
      logger,
      apiUrl,
      visitor: (address) => ({ [onBehalfHeader]: onBehalfOf(masterKey, address) }),
    }),
};
