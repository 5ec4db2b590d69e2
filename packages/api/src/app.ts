import { Router } from "./router.ts";
import { createApp } from "./server.ts";
import type { Express } from "express";
import type { ApiContext } from "./context.ts";
import { Pipeline, apiPrefix } from "./pipeline.ts";
import { applyOnBehalf } from "./on-behalf.ts";
import type { Route } from "./route.ts";
import type { Web } from "./web.ts";

/**
 * The Express application over a table of routes, with the pages beside it. One middleware takes all: a look-up in the table instead of a walk over layers.
 */
export function buildApp(
  context: ApiContext,
  routes: readonly Route[],
  webs: readonly Web[] = [],
): Express {
  const router = new Router<Route>();
  for (const route of routes)
    router.add(route.method, route.root ? route.path : apiPrefix + route.path, route);
  const pipeline = new Pipeline(context, router);
  const app = createApp(context.settings.trustProxy);
  app.use((request, response) => {
    applyOnBehalf(context.masterKey, request);
    const [path = ""] = request.url.split("?", 1);
    const web = webs.find((pages) => pages.serves(path));
    void (web ?? pipeline).handle(request, response);
  });
  return app;
}
