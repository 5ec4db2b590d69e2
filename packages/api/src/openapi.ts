import { type ErrorCode, errorCatalogue } from "@heliograph/contracts";
import { z } from "zod";
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
} from "zod-openapi";
import { holdsMatch, takesMatch } from "./etag.ts";
import { deprecationIn } from "./deprecation.ts";
import { type Document, complete } from "./openapi-complete.ts";
import { apiPrefix } from "./pipeline.ts";
import { Problem } from "./problem-schema.ts";
import { saysLag } from "./projection.ts";
import { type Route, takesKey } from "./route.ts";
import type { Service } from "./service.ts";

const always = ["bad_request", "invalid_request", "request_timeout", "internal"] as const;
const withKey = [
  "authentication_required",
  "invalid_key",
  "key_revoked",
  "invalid_token",
  "session_revoked",
  "insufficient_scope",
  "ip_not_allowed",
  "rate_limited",
  "log_unavailable",
] as const;
const withBody = [
  "malformed_json",
  "body_too_large",
  "unsupported_media_type",
  "overloaded",
] as const;
const withIdempotency = ["idempotency_in_progress", "idempotency_key_reused"] as const;

const comparesTag = (route: Route): boolean =>
  route.etag === true && route.method === "GET" && route.showsMore !== true;

const isPartners = ({ scope }: Route): boolean => scope !== "public" && scope !== "admin";

/** Every error that a route can give, its own and those of what each call goes through. */
const errorsOf = (route: Route): readonly ErrorCode[] => [
  ...new Set<ErrorCode>([
    ...route.errors,
    ...always,
    ...(route.scope === "public" ? [] : withKey),
    ...(isPartners(route) ? (["partner_moved"] as const) : []),
    ...(isPartners(route) && route.mutates === true ? (["partner_moving"] as const) : []),
    ...(route.mutates === true && route.scope !== "public" && !route.evenSuspended
      ? (["partner_suspended"] as const)
      : []),
    ...(route.method === "GET" ? [] : withBody),
    ...(takesKey(route) ? withIdempotency : []),
    ...(takesMatch(route) ? (["precondition_failed"] as const) : []),
  ]),
];

const text = (description: string, example: string) => z.string().meta({ description, example });
const answerHeaders = {
  "Request-Id": text("The request's id, yours or ours.", "req_5f0c1e"),
  "RateLimit-Policy": text(
    "The limits that the call met: `q` in `w` seconds. A list of RFC 9651.",
    '"requests";q=2000;w=10',
  ),
  RateLimit: text(
    "Of each of them `r` are left; all of them again in `t` seconds.",
    '"requests";r=1999;t=1',
  ),
  "Log-Position": text(
    "The position of what was done: send it as Min-Log-Position.",
    "0000000000104200",
  ),
  "Projection-Lag": text(
    "How many events the answer has not seen yet: of the log that it comes from, the environment's, or that of keys and partners.",
    "0",
  ),
  "Idempotent-Replayed": text("`true`: the answer of the first request with this key.", "true"),
  "Preference-Applied": text("The preference that was honoured.", "wait"),
  ETag: text("Names this state of it, for If-Match and If-None-Match.", '"12"'),
  Link: text(
    "Of a file: where its next part is. Beside `Deprecation`: what to write instead.",
    '<https://…/usage?after=…>; rel="next"',
  ),
  Deprecation: text(
    "What was called is to go, or a parameter was given by a name that is not its own; since when it is told so.",
    "@1796083200",
  ),
  Sunset: text("When it ends.", "Wed, 01 Dec 2027 00:00:00 GMT"),
  "As-Of-Position": text("Of a file: the position of the log that it is of.", "0000000000104200"),
  Vary: text("The header of the request by which the answer has one form or another.", "Accept"),
  "Retry-After": text("Seconds to wait before the next try.", "1"),
  "WWW-Authenticate": text("The scheme to authenticate with.", 'Bearer realm="heliograph"'),
} as const;
type HeaderName = keyof typeof answerHeaders;

/** Headers of an answer. Which of them are certain depends on how far a request came, so none is required but the request's id. */
function headersOf(route: Route, status: number): z.ZodObject {
  const names: HeaderName[] = ["Request-Id"];
  if (route.scope !== "public") names.push("RateLimit-Policy", "RateLimit");
  if (saysLag(route)) names.push("Projection-Lag");
  const announced = deprecationIn(route);
  if (announced !== undefined) names.push("Deprecation", "Link");
  if (announced?.until !== undefined) names.push("Sunset");
  if (status < 400) {
    if (route.mutates) names.push("Log-Position");
    if (takesKey(route)) names.push("Idempotent-Replayed");
    if (route.prefer) names.push("Preference-Applied");
    if (route.etag) names.push("ETag");
    if (route.varies !== undefined) names.push("Vary");
    if (route.csv) names.push("Link", "As-Of-Position");
  }
  if (status === 401) names.push("WWW-Authenticate");
  if (status === 409 || status === 429 || status === 503) names.push("Retry-After");
  return z.object(
    Object.fromEntries(
      names.map((name) => [
        name,
        name === "Request-Id" ? answerHeaders[name] : answerHeaders[name].optional(),
      ]),
    ),
  );
}

const Bytes = z.string().meta({ format: "binary" });

/** `/messages/:id` as OpenAPI writes it. */
const template = (route: Route): string =>
  (route.root ? route.path : apiPrefix + route.path).replaceAll(/:(\w+)/g, "{$1}");

/** Headers of a request beyond those that every one has. */
const requestHeadersOf = (route: Route): z.ZodObject =>
  z.object({
    ...(takesKey(route) && {
      "Idempotency-Key": text(
        "1 to 255 visible ASCII characters. The same request with the same key is done once. May be spelled `idempotency_key`, or stand in the body.",
        "order-204821",
      ).optional(),
    }),
    ...(saysLag(route) && {
      "Min-Log-Position": text(
        "Waits until the answer covers this position, at most 5 s.",
        "0000000000104200",
      ).optional(),
    }),
    ...(holdsMatch(route) && {
      "If-Match": text("Does it only to the state with this ETag; else 412.", '"12"').optional(),
    }),
    ...(comparesTag(route) && {
      "If-None-Match": text(
        "The ETag that you have: where it is still so, 304.",
        '"12"',
      ).optional(),
    }),
    ...(route.prefer && { Prefer: text(route.prefer, "wait=10").optional() }),
  });

function operation(route: Route, tag: string): ZodOpenApiOperationObject {
  const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  const path =
    route.params ?? z.object(Object.fromEntries(names.map((name) => [name, z.string()])));
  const header = requestHeadersOf(route);
  const byStatus = new Map<number, string[]>();
  for (const code of errorsOf(route)) {
    const { status } = errorCatalogue[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const problems = [...byStatus].map(([status, codes]) => [
    String(status),
    {
      description: codes.map((code) => `\`${code}\``).join(", "),
      headers: headersOf(route, status),
      content: { "application/problem+json": { schema: Problem } },
    },
  ]);
  const status = route.status ?? (route.response === undefined ? 204 : 200);
  const success = (of: number, description: string, schema: z.ZodType | undefined) => ({
    description,
    headers: headersOf(route, of),
    ...(schema !== undefined && {
      content: {
        ...Object.fromEntries(
          [route.contentType ?? "application/json"].flat().map((type) => [type, { schema }]),
        ),
        ...(route.csv && { "text/csv": { schema: z.string() } }),
      },
    }),
  });
  return {
    operationId: operationId(route),
    summary: route.summary,
    ...(route.deprecated !== undefined && { deprecated: true }),
    tags: [tag],
    ...(route.scope === "public"
      ? { security: [] }
      : { description: `Scope: \`${route.scope}\`.` }),
    requestParams: {
      ...(names.length > 0 && { path }),
      ...(route.query !== undefined && { query: route.query }),
      ...(Object.keys(header.shape).length > 0 && { header }),
    },
    ...requestBodyOf(route),
    responses: {
      ...Object.fromEntries(problems),
      [String(status)]: success(
        status,
        "Done.",
        route.response ?? (route.contentType === undefined ? undefined : z.string()),
      ),
      ...(comparesTag(route) && { "304": success(304, "It is as you have it.", undefined) }),
      ...Object.fromEntries(
        Object.entries(route.also ?? {}).map(([of, { description, response }]) => [
          of,
          success(Number(of), description, response),
        ]),
      ),
    },
  };
}

/** `postMessagesIdCancel`. */
/** JSON by its schema, or bytes of the types that are taken. */
function requestBodyOf({
  body,
  streams,
  streamExamples,
}: Route): Pick<ZodOpenApiOperationObject, "requestBody"> {
  if (streams !== undefined) {
    const content = streams.map((type) => {
      const example = streamExamples?.[type];
      return [type, { schema: Bytes, ...(example !== undefined && { example }) }];
    });
    return { requestBody: { required: true, content: Object.fromEntries(content) } };
  }
  if (body === undefined) return {};
  return { requestBody: { required: true, content: { "application/json": { schema: body } } } };
}

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
  const document = createDocument({
    openapi: "3.1.1",
    info: {
      title: "Heliograph",
      version: "1",
      description: "Multi-channel messaging over an event log.",
    },
    servers: [{ url: "/" }],
    // Several services may have a part in one area.
    tags: [
      ...new Map(groups.map(({ tag, description }) => [tag, { name: tag, description }])).values(),
    ],
    security: [{ key: [] }],
    components: {
      securitySchemes: {
        key: {
          type: "http",
          scheme: "bearer",
          description:
            "`ak_live_…` or `ak_test_…` of a partner, `ak_admin_…` of operators, or an access token, `as_live_…` or `as_test_…`",
        },
      },
    },
    paths: paths as ZodOpenApiPathsObject,
    webhooks: Object.assign({}, ...services.map(({ api }) => api?.webhooks ?? {})),
  });
  // The library's type and ours are views of the same JSON.
  complete(document as unknown as Document);
  return document;
}
