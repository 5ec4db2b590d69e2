import { parse as parseQuery } from "node:querystring";
import { type ErrorCode, PublicError, isAdminKey } from "@heliograph/contracts";
import { BodyBudget, type BodyHold, type BodyLimits } from "./body-budget.ts";
import { Allowance } from "./limits/allowance.ts";
import { asPublicError, problemOf } from "./problem.ts";
import { bodyChunks, drain, readBody, requireJson, requireLength, requireType } from "./body.ts";
import { parseIdempotencyKey } from "./idempotency-key.ts";
import { parseJson } from "./json.ts";
import { requestId } from "./request-id.ts";
import { type Router } from "./router.ts";
import type { Request, Response } from "express";
import { acceptedTraceparent, activeTracing, type Span, type Tracing } from "@heliograph/tracing";
import { type Wire, send, toWire } from "./answer.ts";
import { lookBack, notAsOf, takesAsOf } from "./as-of.ts";
import { auditEntryOf } from "./audited.ts";
import { type Authenticate, createAuthenticate, hasScope } from "./authenticate.ts";
import { Call, type Identity, addressOf, originOf } from "./call.ts";
import type { ApiContext } from "./context.ts";
import { FairStarts } from "./fair-starts.ts";
import { runApart, runOnce } from "./idempotency.ts";
import { machinery } from "./machinery.ts";
import { refusalOfMoved } from "./moved.ts";
import { conditional, refuseUntold } from "./etag.ts";
import { observeRequest } from "./metrics.ts";
import { deprecationHeaders, deprecationOf } from "./deprecation.ts";
import { lagHeaders, positionHeaders, saysLag } from "./projection.ts";
import { type Route, streamed, takesKey } from "./route.ts";
import { shownPath } from "./shown-path.ts";
import { notValid, unknownField, validate } from "./validate.ts";

const maxBodyBytes = 256 * 1024;
/** Of a refused body this much is read and dropped, for so long; then the connection ends. */
const maxDrainBytes = 16 * 1024 * 1024;
const maxDrainMs = 2_000;
const outageReportEveryMs = 1_000;
/** Whether the request was put off, not decided. */
const isPutOff = ({ status, code }: PublicError): boolean =>
  status === 429 || status === 503 || code === "idempotency_in_progress";
export const apiPrefix = "/api/v1";

const security = ["Cache-Control", "no-store", "X-Content-Type-Options", "nosniff"];

/** One request on its way: what is known of it so far. */
type Underway = {
  readonly started: number;
  readonly id: string;
  readonly path: string;
  readonly request: Request;
  /** Headers of whatever the answer will be. */
  readonly common: string[];
  route?: Route;
  params?: Readonly<Record<string, string>>;
  identity?: Identity;
  call?: Call;
  allowance?: Allowance;
  hold?: BodyHold;
  span?: Span;
  /** Of the refusal. */
  code?: ErrorCode;
};

/** What every call goes through, in this order: route, key, rate limit, turn, scope, body, idempotency, validation, handler, answer. */
export class Pipeline {
  readonly context: ApiContext;
  readonly router: Router<Route>;
  readonly bodies: BodyBudget;
  readonly #authenticate: Authenticate;
  readonly #starts = new FairStarts();
  #outageReportedAt = -Infinity;

  constructor(context: ApiContext, router: Router<Route>, bodyLimits?: BodyLimits) {
    this.context = context;
    this.router = router;
    this.bodies = new BodyBudget(bodyLimits);
    this.#authenticate = createAuthenticate(context.directory, context.session);
  }

  /** Answers the request; never throws. */
  async handle(request: Request, response: Response): Promise<void> {
    const started = performance.now();
    const id = requestId(request.headers["request-id"] as string | undefined);
    const queryAt = request.url.indexOf("?");
    const path = queryAt === -1 ? request.url : request.url.slice(0, queryAt);
    const under: Underway = {
      started,
      id,
      path,
      request,
      common: ["Request-Id", id, ...security],
    };
    let wire: Wire;
    try {
      this.#match(request, under);
      if (under.route!.scope !== "public") {
        const ip = (): string => addressOf(request);
        const now = Date.now();
        const known = this.#authenticate(request.headers.authorization, ip, now);
        // A key is known at once, and costs no turn of the loop.
        if (known instanceof Promise) under.identity = await known;
        else this.context.used((under.identity = known).key, now);
      }
      const { identity } = under;
      if (identity !== undefined) {
        const { counters } = this.context;
        under.allowance = new Allowance(counters[identity.key.environment], identity);
        const entering = under.allowance.enter();
        if (entering !== undefined) await entering;
      }
      const turn = this.#starts.enter(nameOf(identity));
      if (turn !== undefined) await turn;
      const call = (under.call = this.#admit(request, response, under));
      const queryText = queryAt === -1 ? "" : request.url.slice(queryAt + 1);
      const answered = await this.#run(under, call, queryText);
      if (answered === undefined) return;
      wire = answered;
      if (lacksPosition(under.route!, wire))
        under.common.push(...(await positionHeaders(call, under.route!)));
    } catch (thrown) {
      wire = this.#refusal(thrown, under);
      // What stays unread would be taken for the next request.
      if (!request.complete && !(await drain(request, maxDrainBytes, maxDrainMs)))
        under.common.push("Connection", "close");
    } finally {
      under.hold?.release();
    }
    const isByPerson = isSendByPerson(under, wire);
    if (isByPerson) await this.#audit(under, wire, true);
    if (!response.headersSent && !response.destroyed)
      send(response, wire, headersOf(under), request.method === "HEAD");
    this.#observe(under, wire.status);
    if (!isByPerson && (under.route?.mutates || wire.status >= 400))
      void this.#audit(under, wire, false);
  }

  /** Counts and logs an answer; of one that streams, how long it took to begin. */
  #observe({ route, identity, request, started, id, path, span }: Underway, status: number): void {
    const tookMs = performance.now() - started;
    observeRequest(route, request.method, status, tookMs, span?.traceparent);
    span?.end(
      {
        "http.request.method": request.method,
        "http.response.status_code": status,
        "heliograph.request_id": id,
        "heliograph.partner": identity?.partner.partner_id ?? "",
      },
      status >= 500 ? String(status) : undefined,
    );
    if (this.context.logger.isLevelEnabled("debug"))
      this.context.logger.debug(
        {
          request_id: id,
          partner: identity?.partner.partner_id,
          method: request.method,
          path,
          status,
          duration_ms: tookMs,
        },
        "answered",
      );
  }

  #match(request: Request, under: Underway): void {
    const match = this.router.match(request.method, under.path);
    if (match.kind === "not_found")
      throw new PublicError("not_found", "There is nothing at this address.");
    if (match.kind === "method_not_allowed") {
      under.common.push("Allow", match.allow);
      throw new PublicError("method_not_allowed", `This address takes ${match.allow}.`);
    }
    under.route = match.target;
    const tracing = activeTracing();
    if (tracing !== undefined) under.span = beginTrace(tracing, match.target, request);
    under.params = match.params;
    if (match.target.deprecated !== undefined) this.#tellOfEnd(under, {});
  }

  /** Whoever calls what is to go is told so, whatever else the answer says. */
  #tellOfEnd({ request, route, common }: Underway, query: Readonly<Record<string, unknown>>): void {
    const announced = deprecationOf(route!, query);
    if (announced !== undefined)
      common.push(...deprecationHeaders(announced, originOf(request, this.context.settings)));
  }

  /** Checks the scope of who calls. */
  #admit(request: Request, response: Response, under: Underway): Call {
    const { identity, params } = under;
    const route = under.route!;
    if (identity !== undefined) {
      if (isAdminKey(identity.key.prefix) && route.scope !== "admin" && !route.adminKeys)
        throw new PublicError(
          "insufficient_scope",
          "An admin key reaches the administration only.",
          { extra: { required_scope: route.scope } },
        );
      if (!hasScope(identity.key.scopes, route.scope))
        throw new PublicError(
          "insufficient_scope",
          `${identity.agent ? "The role" : "The API key"} needs the scope ${route.scope}.`,
          { extra: { required_scope: route.scope } },
        );
      if (!identity.admin) {
        const refusal = refusalOfMoved(identity.partner, route);
        if (refusal !== undefined) throw refusal;
      }
      // An operator's key still works, so that nobody shuts himself out.
      if (identity.partner.status === "suspended" && !identity.admin && isClosed(route))
        throw new PublicError("partner_suspended", "The operator has suspended your account.");
    }
    under.hold = this.bodies.hold(nameOf(identity));
    const name = `${route.method} ${route.path}`;
    const call = new Call(this.context, identity, under.id, request, response, name, params!);
    call.limits = under.allowance;
    call.span = under.span;
    // Not written to the right of a property: V8 makes such a function in its old generation, from where it holds all of the request past each collection of the young one.
    const beginStream = (own: Readonly<Record<string, string>>): void => {
      response.writeHead(200, headersOf(under, own));
      this.#observe(under, 200);
    };
    call.beginStream = beginStream;
    return call;
  }

  async #run(under: Underway, call: Call, queryText: string): Promise<Wire | undefined> {
    const { request } = call;
    const route = under.route!;
    const given = queryText === "" ? {} : { ...parseQuery(queryText) };
    // Parsed JSON is held against the same rule; PostgreSQL stores no NUL, and no row could match one.
    if (request.url.includes("%00")) throw notValid(...nulIn(given));
    // Schemas pass over this one name, and a filter that is passed over lists everything.
    if (Object.hasOwn(given, "__proto__")) throw notValid("query", [unknownField("__proto__")]);
    if (Object.hasOwn(given, "as_of") && !takesAsOf(route.query)) throw notAsOf();
    call.query = validate(route.query, given, "query");
    if (queryText !== "" && route.deprecated === undefined) this.#tellOfEnd(under, given);
    if (route.asOf && typeof given["as_of"] === "string") await lookBack(call, given["as_of"]);
    if (route.params !== undefined) call.params = validate(route.params, call.params, "path");
    const { streams } = route;
    const mostBytes = route.maxBodyBytes ?? maxBodyBytes;
    const takesBody =
      request.method !== "GET" && request.method !== "HEAD" && streams === undefined;
    let body: unknown;
    if (streams !== undefined) {
      requireType(request, streams);
      requireLength(request, mostBytes);
      const chunks = (): AsyncIterable<Buffer> => bodyChunks(request, mostBytes, route.maxBodyMs);
      call.chunks = chunks;
    }
    if (takesBody) {
      const bytes = await readBody(request, mostBytes, under.hold!);
      if (bytes.length > 0) {
        requireJson(request);
        body = parseJson(bytes);
      }
    }
    refuseUntold(route, call);
    if (takesKey(route)) {
      const key = takeKey(call, body);
      // No two devices make up their keys together.
      const session = route.sessionKeys ? call.agent?.session_id : undefined;
      call.idempotencyKey = key && session ? `${session} ${key}` : key;
    }
    if (takesBody) {
      if (body === undefined && route.body !== undefined && !route.body.safeParse({}).success)
        throw new PublicError("malformed_json", "The body is empty.");
      if (route.accepts === undefined || !route.accepts(body))
        body = validate(route.body, body === undefined ? {} : body, "body");
    }
    call.body = body;
    if (saysLag(route)) under.common.push(...(await lagHeaders(call, route)));
    const { idempotency = "table" } = route;
    const hasKey = call.idempotencyKey !== undefined;
    if (hasKey && idempotency === "table") return runOnce(route, call);
    const answer =
      hasKey && (idempotency === "stream" || idempotency === "items")
        ? await runApart(route, call)
        : await route.handler(call);
    if (answer === streamed) return undefined;
    return toWire(route.method === "GET" ? conditional(route, call, answer) : answer);
  }

  #refusal(thrown: unknown, under: Underway): Wire {
    const { id, path, common, allowance } = under;
    const error = machinery(thrown) ?? asPublicError(thrown);
    under.code = error.code;
    if (error.status >= 500) this.#report(error, id, shownPath(under.route?.path, path));
    // What was not done, for no fault of the caller's, is not charged; whoever sends more messages than he may is.
    if (isPutOff(error) && (error.extra["policy"] ?? "requests") === "requests")
      allowance?.giveBackRequest();
    if (error.retryAfterSeconds !== undefined)
      common.push("Retry-After", String(error.retryAfterSeconds));
    if (error.status === 401) common.push("WWW-Authenticate", 'Bearer realm="heliograph"');
    return {
      status: error.status,
      headers: ["Content-Type", "application/problem+json"],
      body: JSON.stringify(
        problemOf(error, id, path, originOf(under.request, this.context.settings)),
      ),
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

  async #audit(under: Underway, wire: Wire, first: boolean): Promise<void> {
    const { audit, directory } = this.context;
    const entry = audit && auditEntryOf(under, wire, directory);
    if (entry !== undefined) await audit!(entry, first);
  }
}

const lacksPosition = ({ mutates, scope }: Route, { status, headers }: Wire): boolean =>
  mutates === true && scope !== "public" && status < 300 && !headers.includes("Log-Position");

const beginTrace = (tracing: Tracing, { method, path }: Route, { headers }: Request): Span =>
  tracing.request(`${method} ${path}`, acceptedTraceparent(headers["traceparent"]));

/** Headers of an answer that its handler has not made, and behind them its own, which count where both have one. */
function headersOf(
  { common, allowance }: Underway,
  own?: Readonly<Record<string, string>>,
): string[] {
  if (own === undefined) {
    if (allowance !== undefined) common.push(...allowance.headers);
    return common;
  }
  const names = new Set(Object.keys(own).map((name) => name.toLowerCase()));
  const all = [...common, ...(allowance?.headers ?? [])];
  const kept = all.filter((_, index) => !names.has(all[index - (index % 2)]!.toLowerCase()));
  return [...kept, ...Object.entries(own).flat()];
}

/** Of all that is done, this alone stands in the audit and with nothing of the address in the log: whoever was told that it is sent finds it there. */
const isSendByPerson = ({ route, identity }: Underway, { status }: Wire): boolean =>
  route?.audit === false && identity?.agent !== undefined && status < 400;

const isClosed = ({ mutates, evenSuspended }: Route): boolean =>
  mutates === true && evenSuspended !== true;

/** Per environment too: a test that runs wild in the sandbox leaves the live limit alone. */
const nameOf = (identity: Identity | undefined): string =>
  identity === undefined ? "public" : `${identity.key.environment} ${identity.key.partner_id}`;

/** Which parts of an address have a NUL character. */
function nulIn(query: Readonly<Record<string, unknown>>): Parameters<typeof notValid> {
  const error = (path: string) => ({
    path,
    code: "invalid_value",
    message: "has a NUL character",
  });
  const names = Object.keys(query).filter((name) => `${name}${String(query[name])}`.includes("\0"));
  return names.length > 0 ? ["query", names.map(error)] : ["path", [error("")]];
}

/** Where a key may stand. The platform's own description spells the header with an underscore: both are taken. */
const keyHeaders = ["idempotency-key", "idempotency_key"] as const;

/** The idempotency key of a header or of the body's `idempotency_key`, which is taken out of the body. */
function takeKey(call: Call, body: unknown): string | undefined {
  const keys: string[] = [];
  for (const name of keyHeaders) {
    const header = call.request.headers[name];
    if (header !== undefined) keys.push(parseIdempotencyKey(String(header)));
  }
  if (typeof body === "object" && body !== null && "idempotency_key" in body) {
    const field = body.idempotency_key;
    delete body.idempotency_key;
    if (typeof field !== "string")
      throw keyRefused("The idempotency key must be text.", "invalid_type", "must be text");
    keys.push(parseIdempotencyKey(field, "idempotency_key"));
  }
  if (new Set(keys).size > 1)
    throw keyRefused(
      "The headers and the body name different idempotency keys.",
      "conflict",
      "differs from the Idempotency-Key header",
    );
  return keys[0];
}

const keyRefused = (detail: string, code: string, message: string): PublicError =>
  new PublicError("invalid_request", detail, {
    errors: [{ path: "idempotency_key", code, message }],
  });
