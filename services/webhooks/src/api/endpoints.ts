import { isDeepStrictEqual } from "node:util";
import {
  type EventData,
  PublicError,
  newSecret,
  openSecret,
  sealSecret,
  streamOf,
} from "@heliograph/contracts";
import { type Endpoint, maxSecrets, signingSecrets } from "@heliograph/domain";
import { listEndpoints } from "../tables/webhooks.ts";
import { z } from "zod";
import {
  amongAll,
  appendOne,
  etagOfBody,
  requireMatch,
  notValid,
  type Call,
  ListQuery,
  listBody,
  listOf,
  pageOf,
  slicePage,
  type Answer,
  type Route,
  route,
} from "@heliograph/api";
import { clashes, headersOf, mask, sealHeaders, sumFault, unmasked } from "../headers.ts";
import { requireReachable } from "./reachable.ts";
import {
  changeEndpoint,
  changeErrors,
  endpointView,
  findEndpoint,
  pastEndpointView,
  secretsOf,
  settingsOf,
} from "./endpoint.ts";
import {
  CreateEndpoint,
  CreatedEndpoint,
  EndpointView,
  RotateSecret,
  UpdateEndpoint,
} from "./schema.ts";

/** Every event of a partner is offered to each of its endpoints. */
const maxEndpoints = 100;
const defaultOverlapSeconds = 86_400;

/** 32 bytes in the form of Standard Webhooks 1.0. The same for a retry with the same idempotency key, and no other endpoint's. */
const newSecretOf = (call: Call, endpoint: string): string =>
  newSecret(call.derivedBytes(32, `webhook secret ${endpoint}`));

const endpoints = {
  name: "endpoints",
  schema: "webhooks",
  made: "WebhookEndpointCreated",
  gone: "WebhookEndpointDeleted",
  id: "endpoint_id",
} as const;

async function create(call: Call<CreateEndpoint, unknown>): Promise<Answer> {
  const { masterKey } = call.context;
  const id = call.derivedId("whe");
  requireReachable(call, call.body.url);
  const { headers, types, event_types = types, secret: own, batch, ...settings } = call.body;
  if (clashes(headers ?? {}, settings.timestamped_signature_header)) throw clash();
  if (batch !== undefined && settings.ordering !== undefined) throw orderedBatches();
  const sealed_headers = sealHeaders(masterKey, headers ?? {});
  const data: EventData<"WebhookEndpointCreated"> = {
    endpoint_id: id,
    ...settings,
    ...(batch !== undefined && { batch: wholeBatch(batch) }),
    ...(event_types !== undefined && { event_types }),
    ...(sealed_headers !== undefined && { sealed_headers }),
    secret: sealSecret(masterKey, own ?? newSecretOf(call, id)),
    created_at: new Date().toISOString(),
  };
  const event = {
    id: call.eventId("create"),
    type: "WebhookEndpointCreated",
    data,
    metadata: call.metadata({ correlation: id }),
  };
  const known = async () =>
    (await listEndpoints(call.deps.projectionPool, call.account)).map((each) => each.id);
  const stored = await amongAll(call, endpoints, known, (others) => {
    if (others(id) >= maxEndpoints)
      throw new PublicError("conflict", `A partner has at most ${maxEndpoints} webhook endpoints.`);
    return appendOne(call.deps.log, {
      stream: streamOf("endpoint", id),
      expected: "no_stream",
      events: [event],
    });
  });
  const { endpoint, position } = await findEndpoint(call, id);
  const { secret } = secretsOf(endpoint, masterKey, Date.now());
  return {
    status: 201,
    body: { ...endpointView(endpoint, masterKey), secret },
    position: stored?.position ?? position,
  };
}

const clash = (): PublicError =>
  notValid("body", [
    {
      path: "timestamped_signature_header",
      code: "invalid_value",
      message: "is also the name of one of `headers`",
    },
  ]);

/** In a request of many, one that waits for another would hold up all: an owner who asks for both is told so. */
const orderedBatches = (): PublicError =>
  notValid("body", [
    { path: "batch", code: "invalid_value", message: "is not possible together with `ordering`" },
  ]);

const wholeBatch = (batch: NonNullable<CreateEndpoint["batch"]>) => ({
  max_events: batch.max_events ?? 100,
  max_wait_ms: batch.max_wait_ms ?? 1_000,
});

function updated(
  endpoint: Endpoint,
  body: UpdateEndpoint,
  masterKey: Buffer,
): EventData<"WebhookEndpointUpdated"> | PublicError {
  const { types, event_types = types, headers, batch, ...named } = body;
  const wantedTypes = event_types?.length === 0 ? null : event_types;
  const wanted = Object.assign(
    { ...endpoint },
    named,
    wantedTypes !== undefined && { event_types: wantedTypes },
    batch !== undefined && { batch: batch && wholeBatch(batch) },
  );
  if (wanted.batch && wanted.ordering) return orderedBatches();
  const { sealed_headers, ...changed } = settingsOf(wanted, masterKey);
  const known = headersOf(endpoint, masterKey);
  const given = unmasked(headers ?? known, known);
  if (given.unknown.length > 0)
    return notValid(
      "body",
      given.unknown.map((name) => ({
        path: `headers.${name}`,
        code: "invalid_value",
        message: `has no value yet that ${mask} could keep`,
      })),
    );
  // The same headers stay sealed as they are, so that a change that changes nothing is none.
  const same = JSON.stringify(given.headers) === JSON.stringify(known);
  const together = same ? undefined : sumFault(given.headers);
  if (together !== undefined)
    return notValid("body", [{ path: "headers", code: "too_big", message: together }]);
  if (clashes(given.headers, wanted.timestamped_signature_header)) return clash();
  const sealed = same ? sealed_headers : sealHeaders(masterKey, given.headers);
  return { ...changed, ...(sealed !== undefined && { sealed_headers: sealed }) };
}

/** A change of an endpoint, which is also told where it enables one that was disabled. */
function changed({ id, status }: Endpoint, data: EventData<"WebhookEndpointUpdated">) {
  const update = { type: "WebhookEndpointUpdated", data } as const;
  if (status === "enabled" || data.status !== "enabled") return update;
  const notice = {
    type: "WebhookEndpointEnabled",
    data: { endpoint_id: id, url: data.url },
  } as const;
  return [update, notice];
}

/** By what is shown of it: in its stream stand retries too, which change nothing of it. */
const tagOf = (endpoint: Endpoint, masterKey: Buffer): string =>
  etagOfBody(endpointView(endpoint, masterKey));

async function update(call: Call<UpdateEndpoint, unknown>): Promise<Answer> {
  const { masterKey } = call.context;
  if (call.body.url !== undefined) requireReachable(call, call.body.url);
  const { endpoint, position } = await changeEndpoint(call, call.params["id"]!, "update", (now) => {
    requireMatch(call, () => tagOf(now, masterKey));
    const data = updated(now, call.body, masterKey);
    if (data instanceof PublicError) return data;
    const same = isDeepStrictEqual(data, settingsOf(now, masterKey));
    return same ? undefined : changed(now, data);
  });
  const body = endpointView(endpoint, masterKey);
  return { status: 200, body, etag: etagOfBody(body), position };
}

async function enable(call: Call): Promise<Answer> {
  const { masterKey } = call.context;
  const { endpoint, position } = await changeEndpoint(call, call.params["id"]!, "enable", (now) =>
    now.status === "enabled"
      ? undefined
      : changed(now, { ...settingsOf(now, masterKey), status: "enabled" }),
  );
  return { status: 200, body: endpointView(endpoint, masterKey), position };
}

async function remove(call: Call): Promise<Answer> {
  const id = call.params["id"]!;
  const { position } = await changeEndpoint(call, id, "delete", (now) => {
    requireMatch(call, () => tagOf(now, call.context.masterKey));
    return { type: "WebhookEndpointDeleted", data: { endpoint_id: id } };
  });
  return { status: 204, position };
}

async function rotate(call: Call<z.infer<typeof RotateSecret>, unknown>): Promise<Answer> {
  const id = call.params["id"]!;
  const overlapMs = (call.body.overlap_seconds ?? defaultOverlapSeconds) * 1000;
  const { masterKey } = call.context;
  const now = Date.now();
  const { secret = newSecretOf(call, id) } = call.body;
  const { endpoint, position } = await changeEndpoint(call, id, "rotate", ({ secrets }) => {
    if (secrets.some(({ sealed }) => openSecret(masterKey, sealed) === secret))
      return notValid("body", [
        { path: "secret", code: "invalid_value", message: "is or was a secret of this endpoint" },
      ]);
    const earlier = signingSecrets(secrets, now);
    // A secret signs until the time that was answered; what would cut it off is refused, but for an overlap that says so.
    if (overlapMs > 0 && earlier.length >= maxSecrets) {
      const ends = earlier.map(({ expires_at }) => expires_at ?? "").filter(Boolean);
      return new PublicError(
        "conflict",
        `Already ${maxSecrets} secrets sign. Rotate again after ${ends.toSorted()[0]}, or with overlap_seconds 0, which ends the earlier ones at once.`,
      );
    }
    return {
      type: "WebhookSecretRotated",
      data: {
        endpoint_id: id,
        secret: sealSecret(masterKey, secret),
        previous_secret_expires_at: new Date(now + overlapMs).toISOString(),
      },
    };
  });
  return {
    status: 200,
    body: {
      secret: secretsOf(endpoint, masterKey, now).secret,
      previous_secret_expires_at: endpoint.secrets[1]?.expires_at ?? endpoint.updated_at,
    },
    position,
  };
}

async function list(call: Call<undefined, ListQuery>): Promise<Answer> {
  const page = pageOf(call, "webhook-endpoints");
  const keyOf = (endpoint: Endpoint): string => `${endpoint.created_at} ${endpoint.id}`;
  const endpoints = await listEndpoints(call.deps.projectionPool, call.account);
  const sorted = endpoints.toSorted((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
  const rows = slicePage(sorted, page, keyOf);
  return {
    status: 200,
    body: listBody(call, "webhook-endpoints", page, rows, keyOf, (endpoint) =>
      endpointView(endpoint, call.context.masterKey),
    ),
  };
}

async function show(call: Call<unknown, unknown>): Promise<Answer> {
  const { endpoint } = await findEndpoint(call as Call, call.params["id"]!);
  const view = call.isOfPast ? pastEndpointView : endpointView;
  return { status: 200, body: view(endpoint, call.context.masterKey) };
}

export const webhookEndpointRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/webhook-endpoints",
    scope: "webhooks:write",
    summary: "Add a webhook endpoint",
    mutates: true,
    status: 201,
    body: CreateEndpoint,
    response: CreatedEndpoint,
    errors: changeErrors,
    handler: create,
  }),
  route({
    method: "GET",
    path: "/webhook-endpoints",
    scope: "webhooks:read",
    summary: "List webhook endpoints, oldest first",
    projection: "webhooks",
    query: ListQuery,
    response: listOf(EndpointView, "WebhookEndpointList"),
    errors: ["invalid_request"],
    handler: list,
  }),
  route({
    method: "GET",
    path: "/webhook-endpoints/:id",
    folded: true,
    scope: "webhooks:read",
    summary: "Get a webhook endpoint, now or as of an earlier position or time",
    etag: true,
    asOf: true,
    response: EndpointView,
    errors: ["not_found"],
    handler: show,
  }),
  route({
    method: "PATCH",
    path: "/webhook-endpoints/:id",
    scope: "webhooks:write",
    summary: "Change a webhook endpoint; what is left out stays",
    etag: true,
    mutates: true,
    body: UpdateEndpoint,
    response: EndpointView,
    errors: changeErrors,
    handler: update,
  }),
  route({
    method: "DELETE",
    path: "/webhook-endpoints/:id",
    scope: "webhooks:write",
    summary: "Remove a webhook endpoint",
    etag: true,
    mutates: true,
    response: undefined,
    errors: changeErrors,
    handler: remove,
  }),
  route({
    method: "POST",
    path: "/webhook-endpoints/:id/enable",
    scope: "webhooks:write",
    summary: "Enable a webhook endpoint again",
    mutates: true,
    response: EndpointView,
    errors: changeErrors,
    handler: enable,
  }),
  route({
    method: "GET",
    path: "/webhook-endpoints/:id/secret",
    folded: true,
    scope: "webhooks:write",
    summary: "Show the secret that signs",
    response: z
      .object({ secret: z.string(), previous_secret_expires_at: z.string().nullable() })
      .meta({ id: "WebhookSecret" }),
    errors: ["not_found"],
    handler: async (call) => {
      const { endpoint } = await findEndpoint(call, call.params["id"]!);
      return {
        status: 200,
        body: secretsOf(endpoint, call.context.masterKey, Date.now()),
      };
    },
  }),
  route({
    method: "POST",
    path: "/webhook-endpoints/:id/rotate-secret",
    scope: "webhooks:write",
    summary: "Make a new secret; the old one signs too until the overlap ends",
    mutates: true,
    body: RotateSecret,
    response: z
      .object({ secret: z.string(), previous_secret_expires_at: z.string() })
      .meta({ id: "RotatedWebhookSecret" }),
    errors: changeErrors,
    handler: rotate,
  }),
];
