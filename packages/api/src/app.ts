import { Router } from "./router.ts";
import { createApp } from "./server.ts";
import type { Express, Request, Response } from "express";
import type { ApiContext } from "./context.ts";
import { Pipeline, apiPrefix } from "./pipeline.ts";
import { applyOnBehalf } from "./on-behalf.ts";
import type { Route } from "./route.ts";
import type { Web } from "./web.ts";

/**
 * The Express application over a table of routes, with the pages beside it. A look-up in the table takes the place of Express's router, which would go through its layers for each request, of which
 * there is one.
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
  const handle = (request: Request, response: Response): void => {
    // As `app.handle` does it before it routes; `listen` has made both of the application's kind.
    request.res = response;
    response.req = request;
    try {
      applyOnBehalf(context.masterKey, request);
      const [path = ""] = request.url.split("?", 1);
      const web = webs.find((pages) => pages.serves(path));
      void (web ?? pipeline).handle(request, response);
    } catch (error) {
      // A bug: nothing above waits for what is thrown here, and it must not end the process.
      context.logger.error({ err: error }, "a request could not be begun");
      response.writeHead(500, { Connection: "close" }).end();
    }
  };
  return Object.assign(app, { handle });
}
