import { type Route, route } from "@heliograph/api";
import { z } from "zod";
import { asyncapiDocument } from "./asyncapi.ts";

/** The AsyncAPI document, at the root where tools look for it and below the API. */
export const asyncapiRoutes: readonly Route[] = [true, false].map((root) =>
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
);
