import { errorCatalogue } from "@heliograph/contracts";
import { z } from "zod";
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
} from "zod-openapi";
import { apiPrefix } from "./pipeline.ts";
import type { Route } from "./route.ts";
import type { Service } from "./service.ts";

const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    code: z.enum(Object.keys(errorCatalogue) as [string, ...string[]]),
    request_id: z.string(),
    errors: z
      .array(z.object({ path: z.string(), code: z.string(), message: z.string() }))
      .optional(),
    doc_url: z.string(),
  })
  .meta({
    id: "Problem",
    description: "RFC 9457; `code` says which error of the catalogue it is.",
  });

const always = ["bad_request", "internal"] as const;
const withKey = [
  "authentication_required",
  "invalid_key",
  "key_revoked",
  "insufficient_scope",
  "ip_not_allowed",
  "rate_limited",
] as const;

const withBody = [
  "malformed_json",
  "body_too_large",
  "unsupported_media_type",
  "request_timeout",
  "overloaded",
] as const;

/** `/messages/:id` as OpenAPI writes it. */
const template = (route: Route): string =>
  (route.root ? route.path : apiPrefix + route.path).replaceAll(/:(\w+)/g, "{$1}");

function operation(route: Route, tag: string): ZodOpenApiOperationObject {
  const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  const path =
    route.params ?? z.object(Object.fromEntries(names.map((name) => [name, z.string()])));
  const header = z.object({
    ...(route.mutates &&
      route.idempotency !== "none" && {
        "Idempotency-Key": z
          .string()
          .max(255)
          .optional()
          .meta({ description: "1 to 255 visible ASCII characters." }),
      }),
    ...(route.projection !== undefined && {
      "Min-Log-Position": z
        .string()
        .optional()
        .meta({ description: "Waits until the answer covers this position." }),
    }),
  });
  const byStatus = new Map<number, string[]>();
  for (const code of new Set([
    ...route.errors,
    ...always,
    ...(route.scope === "public" ? [] : withKey),
    ...(route.body === undefined ? [] : withBody),
  ])) {
    const { status } = errorCatalogue[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const problems = [...byStatus].map(([status, codes]) => [
    String(status),
    {
      description: codes.map((code) => `\`${code}\``).join(", "),
      content: { "application/problem+json": { schema: Problem } },
    },
  ]);
  const success = {
    description: "Done.",
    ...(route.response !== undefined && {
      content: { "application/json": { schema: route.response } },
    }),
  };
  return {
    operationId: operationId(route),
    summary: route.summary,
    tags: [tag],
    ...(route.scope === "public"
      ? { security: [] }
      : { description: `Scope: \`${route.scope}\`.` }),
    requestParams: {
      ...(names.length > 0 && { path }),
      ...(route.query !== undefined && { query: route.query }),
      ...(Object.keys(header.shape).length > 0 && { header }),
    },
    ...(route.body !== undefined && {
      requestBody: { required: true, content: { "application/json": { schema: route.body } } },
    }),
    responses: {
      [String(route.status ?? (route.response === undefined ? 204 : 200))]: success,
      ...Object.fromEntries(problems),
    },
  };
}

/** `postMessagesIdCancel`. */
const operationId = (route: Route): string =>
  route.method.toLowerCase() +
  (route.root ? "Root" : "") +
  route.path
    .split(/[/:._-]+/)
    .filter((part) => part !== "")
    .map((part) => part[0]!.toUpperCase() + part.slice(1))
    .join("");

/** The OpenAPI 3.1 document of the services' routes, made from the very schemas that validate. */
export function buildDocument(services: readonly Service[]): object {
  const groups = services.flatMap(({ api }) => api?.groups ?? []);
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const { tag, routes } of groups)
    for (const route of routes)
      (paths[template(route)] ??= {})[route.method.toLowerCase()] = operation(route, tag);
  return createDocument({
    openapi: "3.1.1",
    info: {
      title: "Heliograph",
      version: "1",
      description: "Multi-channel messaging over an event log.",
    },
    servers: [{ url: "/" }],
    tags: groups.map(({ tag, description }) => ({ name: tag, description })),
    security: [{ key: [] }],
    components: {
      securitySchemes: {
        key: { type: "http", scheme: "bearer", description: "`ak_live_…` or `ak_test_…`" },
      },
    },
    paths: paths as ZodOpenApiPathsObject,
    webhooks: Object.assign({}, ...services.map(({ api }) => api?.webhooks ?? {})),
  });
}
