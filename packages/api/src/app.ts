import { Router } from "./router.ts";
import { createApp } from "./server.ts";
import type { Express } from "express";
import type { ApiContext } from "./context.ts";
import { Pipeline, apiPrefix } from "./pipeline.ts";
import type { Route } from "./route.ts";

/** The Express application over a table of routes. One middleware takes all: a look-up in the table instead of a walk over layers. */
export function buildApp(context: ApiContext, routes: readonly Route[]): Express {
  const router = new Router<Route>();
  for (const route of routes)
    router.add(route.method, route.root ? route.path : apiPrefix + route.path, route);
  const pipeline = new Pipeline(context, router);
  const app = createApp(context.settings.trustProxy);
  app.use((request, response) => void pipeline.handle(request, response));
  return app;
}
