import { buildDocument, hostService, serveApi, type ApiDeps, type Serving } from "@heliograph/api";
import { services } from "./services.ts";

export { service } from "./service.ts";
export { services } from "./services.ts";
export { asyncapiDocument } from "@heliograph/lifecycle";

/** Serves the front door of every service in this process. */
export const startIngress = (deps: ApiDeps): Promise<Serving> => serveApi(deps, services);

/** The OpenAPI document of the whole API; `schemas/openapi.json` is its checked-in copy. */
export const openapiDocument = (): object => buildDocument([...services, hostService]);
