import { parse as parseQuery } from "node:querystring";
import { PublicError } from "@heliograph/contracts";
import {
  type Limit,
  RateLimiter,
  asPublicError,
  drain,
  parseIdempotencyKey,
  parseJson,
  problemOf,
  readBody,
  requestId,
  requireJson,
  type Router,
} from "@heliograph/http";
import { LogUnavailable } from "@heliograph/log";
import { isMachinery } from "@heliograph/runtime";
import type { Request, Response } from "express";
import { type Wire, send, toWire } from "./answer.ts";
import { type Authenticate, createAuthenticate, hasScope } from "./authenticate.ts";
import { Call, type Identity, addressOf } from "./call.ts";
import type { IngressContext } from "./context.ts";
import { runOnce } from "./idempotency.ts";
import { projectionHeaders } from "./projection.ts";
import { type Route, streamed } from "./route.ts";
import { validate } from "./validate.ts";

const maxBodyBytes = 256 * 1024;
/** Of a refused body this much is read and dropped, for so long; then the connection ends. */
const maxDrainBytes = 16 * 1024 * 1024;
const maxDrainMs = 2_000;
const outageReportEveryMs = 1_000;
/** A partner without a limit of its own: 200 requests a second, bursts of 2,000. */
const defaultLimit = { requests: 2_000, windowSeconds: 10 };
export const apiPrefix = "/api/v1";

const security = ["Cache-Control", "no-store", "X-Content-Type-Options", "nosniff"];

/** What every call goes through, in this order: route, key, rate limit, scope, body, idempotency, validation, handler, answer. */
export class Pipeline {
  readonly context: IngressContext;
  readonly router: Router<Route>;
  readonly limiter = new RateLimiter();
  readonly #authenticate: Authenticate;
  #outageReportedAt = -Infinity;

  constructor(context: IngressContext, router: Router<Route>) {
    this.context = context;
    this.router = router;
    this.#authenticate = createAuthenticate(context.directory);
  }

  /** Answers the request; never throws. */
  async handle(request: Request, response: Response): Promise<void> {
    const started = performance.now();
    const id = requestId(request.headers["request-id"] as string | undefined);
    const common = ["Request-Id", id, ...security];
    const queryAt = request.url.indexOf("?");
    const path = queryAt === -1 ? request.url : request.url.slice(0, queryAt);
    let wire: Wire;
    let route: Route | undefined;
    let identity: Identity | undefined;
    try {
      const match = this.router.match(request.method, path);
      if (match.kind === "not_found")
        throw new PublicError("not_found", "There is nothing at this address.");
      if (match.kind === "method_not_allowed") {
        common.push("Allow", match.allow);
        throw new PublicError("method_not_allowed", `This address takes ${match.allow}.`);
      }
      route = match.target;
      if (route.scope !== "public") {
        identity = this.#authenticate(
          request.headers.authorization,
          () => addressOf(request),
          Date.now(),
        );
        this.#limit(identity, common);
        if (!hasScope(identity.key.scopes, route.scope))
          throw new PublicError(
            "insufficient_scope",
            `The API key needs the scope ${route.scope}.`,
            { extra: { required_scope: route.scope } },
          );
      }
      const call = new Call(
        this.context,
        identity,
        id,
        request,
        response,
        `${route.method} ${route.path}`,
        match.params,
      );
      if (identity !== undefined) {
        const known = identity;
        call.charge = (cost) => this.limiter.charge(limitName(known), limitOf(known), cost);
      }
      const answered = await this.#run(
        route,
        call,
        queryAt === -1 ? "" : request.url.slice(queryAt + 1),
        common,
      );
      if (answered === undefined) return;
      wire = answered;
    } catch (thrown) {
      wire = this.#refusal(thrown, id, path, common);
      // What stays unread would be taken for the next request.
      if (!request.complete && !(await drain(request, maxDrainBytes, maxDrainMs)))
        common.push("Connection", "close");
    }
    if (!response.headersSent && !response.destroyed)
      send(response, wire, common, request.method === "HEAD");
    if (route?.mutates) this.#audit(route, identity, request, path, id, wire.status);
    if (this.context.logger.isLevelEnabled("debug"))
      this.context.logger.debug(
        {
          request_id: id,
          partner: identity?.partner.partner_id,
          method: request.method,
          path,
          status: wire.status,
          duration_ms: performance.now() - started,
        },
        "answered",
      );
  }

  async #run(
    route: Route,
    call: Call,
    queryText: string,
    common: string[],
  ): Promise<Wire | undefined> {
    const { request } = call;
    // Parsed JSON is held against the same rule; PostgreSQL stores no NUL, and no row could match one.
    if (request.url.includes("%00"))
      throw new PublicError("invalid_request", "The address has a NUL character.");
    call.query = validate(
      route.query,
      queryText === "" ? {} : { ...parseQuery(queryText) },
      "query",
    );
    if (route.params !== undefined) call.params = validate(route.params, call.params, "path");
    let body: unknown;
    if (request.method !== "GET" && request.method !== "HEAD") {
      const bytes = await readBody(request, route.maxBodyBytes ?? maxBodyBytes);
      if (route.rawBody) call.rawBody = bytes;
      else if (bytes.length > 0) {
        requireJson(request);
        body = parseJson(bytes);
      }
    }
    if (route.mutates && route.idempotency !== "none" && route.scope !== "public")
      call.idempotencyKey = takeKey(call, body);
    if (!route.rawBody && request.method !== "GET" && request.method !== "HEAD") {
      if (body === undefined && route.body !== undefined && !route.body.safeParse({}).success)
        throw new PublicError("malformed_json", "The body is empty.");
      if (route.accepts === undefined || !route.accepts(body))
        body = validate(route.body, body ?? {}, "body");
    }
    call.body = body;
    if (route.projection !== undefined) {
      const headers = await projectionHeaders(call, route.projection);
      common.push(...headers);
    }
    if (call.idempotencyKey !== undefined && route.idempotency !== "stream")
      return runOnce(route, call);
    const answer = await route.handler(call);
    return answer === streamed ? undefined : toWire(answer);
  }

  #limit(identity: Identity, common: string[]): void {
    const limit = limitOf(identity);
    const verdict = this.limiter.take(limitName(identity), limit);
    common.push(
      "RateLimit-Policy",
      `"default";q=${limit.requests};w=${limit.windowSeconds}`,
      "RateLimit",
      `"default";r=${verdict.remaining};t=${verdict.resetSeconds}`,
    );
    if (!verdict.allowed)
      throw new PublicError(
        "rate_limited",
        `More than ${limit.requests} requests in ${limit.windowSeconds} seconds.`,
        { retryAfterSeconds: verdict.retryAfterSeconds },
      );
  }

  #refusal(thrown: unknown, id: string, path: string, common: string[]): Wire {
    const error = machinery(thrown) ?? asPublicError(thrown);
    if (error.status >= 500) this.#report(error, id, path);
    if (error.retryAfterSeconds !== undefined)
      common.push("Retry-After", String(error.retryAfterSeconds));
    if (error.status === 401) common.push("WWW-Authenticate", 'Bearer realm="heliograph"');
    return {
      status: error.status,
      headers: ["Content-Type", "application/problem+json"],
      body: JSON.stringify(problemOf(error, id, path)),
    };
  }

  /** Every bug, but only one line a second of an outage, which fails every request for the same reason. */
  #report(error: PublicError, id: string, path: string): void {
    if (error.code === "log_unavailable") {
      const now = performance.now();
      if (now < this.#outageReportedAt + outageReportEveryMs) return;
      this.#outageReportedAt = now;
    }
    this.context.logger.error({ err: error.cause ?? error, request_id: id, path }, error.code);
  }

  #audit(
    route: Route,
    identity: Identity | undefined,
    request: Request,
    path: string,
    id: string,
    status: number,
  ): void {
    if (identity === undefined || route.audit === false) return;
    this.context.audit?.({
      at: Date.now(),
      environment: identity.key.environment,
      partner: identity.partner.partner_id,
      actor: identity.key.key_id,
      action: `${route.method} ${route.path}`,
      target: path,
      requestId: id,
      ip: addressOf(request),
      outcome: status,
    });
  }
}

/** The log or the database behind it is away: never a 202, and a retry is safe. */
function machinery(thrown: unknown): PublicError | undefined {
  if (!(thrown instanceof LogUnavailable) && !isMachinery(thrown)) return undefined;
  const { retryAfterMs, outcomeUnknown } =
    thrown instanceof LogUnavailable ? thrown : { retryAfterMs: 1_000, outcomeUnknown: false };
  // Whoever sent no key has to know, before he sends again, that there may be two then.
  return new PublicError(
    "log_unavailable",
    `${outcomeUnknown ? "It is not known whether the message log has taken this" : "The message log cannot take this now"}. Retry with the same Idempotency-Key.`,
    { retryAfterSeconds: Math.max(1, Math.ceil(retryAfterMs / 1000)), cause: thrown },
  );
}

const limitOf = ({ partner: { rate_limit: own } }: Identity): Limit =>
  own === undefined ? defaultLimit : { requests: own.requests, windowSeconds: own.window_seconds };

/** Per environment too: a test that runs wild in the sandbox leaves the live limit alone. */
const limitName = ({ key }: Identity): string => `${key.environment} ${key.partner_id}`;

/** The idempotency key of the header or of the body's `idempotency_key`, which is taken out of the body. */
function takeKey(call: Call, body: unknown): string | undefined {
  const header = call.request.headers["idempotency-key"];
  const fromHeader = header === undefined ? undefined : parseIdempotencyKey(String(header));
  if (typeof body !== "object" || body === null || !("idempotency_key" in body)) return fromHeader;
  const field = body.idempotency_key;
  delete body.idempotency_key;
  if (typeof field !== "string")
    throw new PublicError("invalid_request", "The idempotency key must be text.", {
      errors: [{ path: "idempotency_key", code: "invalid_type", message: "must be a string" }],
    });
  const fromBody = parseIdempotencyKey(field);
  if (fromHeader !== undefined && fromHeader !== fromBody)
    throw new PublicError(
      "invalid_request",
      "The header and the body name different idempotency keys.",
      {
        errors: [
          {
            path: "idempotency_key",
            code: "conflict",
            message: "differs from the Idempotency-Key header",
          },
        ],
      },
    );
  return fromBody;
}
