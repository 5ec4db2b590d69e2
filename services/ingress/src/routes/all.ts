import { z } from "zod";
import { asyncapiDocument } from "../asyncapi.ts";
import { buildDocument } from "../openapi.ts";
import { type Route, route } from "../route.ts";
import { routes } from "./index.ts";
import { messageRoutes } from "./messages.ts";

/** Every endpoint of the API. */
export const allRoutes: readonly Route[] = [
  ...messageRoutes,
  ...routes,
  route({
    method: "GET",
    path: "/openapi.json",
    scope: "public",
    summary: "This document",
    response: z.record(z.string(), z.unknown()),
    errors: [],
    handler: () => ({ status: 200, body: openapiDocument() }),
  }),
  ...[true, false].map((root) =>
    route({
      method: "GET",
      path: "/asyncapi.json",
      root,
      scope: "public",
      summary: "The AsyncAPI document of the public topics",
      response: z.record(z.string(), z.unknown()),
      errors: [],
      handler: () => ({ status: 200, body: asyncapiDocument() }),
    }),
  ),
];

let made: object | undefined;

/** The OpenAPI document of the whole API; `schemas/openapi.json` is its checked-in copy. */
export function openapiDocument(): object {
  made ??= buildDocument(allRoutes);
  return made;
}
