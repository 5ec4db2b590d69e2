import {
  type Environment,
  PublicError,
  deterministicId,
  environments,
  isId,
  streamOf,
} from "@heliograph/contracts";
import {
  type GatewayKind,
  GatewayRefused,
  attemptIdOf,
  callbackUrl,
  configured,
  createGateway,
  kindOf,
  previewOf,
  reconfigured,
  takesCallbacks,
  throughFault,
  throughOf,
} from "@heliograph/gateways";
import {
  type Answer,
  type Call,
  ListQuery,
  type Route,
  changeOnce,
  etagOf,
  listBody,
  listOf,
  notValid,
  originOf,
  pageOf,
  reachable,
  requireMatch,
  route,
  slicePage,
  untilInEffect,
} from "@heliograph/api";
import type { Decision } from "@heliograph/log";
import { z } from "zod";
import {
  type Gateway,
  type GatewayRefusal,
  type StoredGateway,
  decideChange,
  decideCreation,
  decideRemoval,
  evolveGateway,
} from "../decide-gateway.ts";
import {
  AdminGateway,
  CreateGateway,
  PatchGateway,
  gatewayView,
  onUncertain,
  patched,
  secretTexts,
} from "./gateway-schema.ts";

/** A provider that takes longer to say hello is as good as away. */
const checkMs = 10_000;

const GatewaysQuery = ListQuery.extend({ environment: z.enum(environments).optional() });
type GatewaysQuery = z.infer<typeof GatewaysQuery>;

const notFound = (): PublicError => new PublicError("not_found", "There is no such gateway.");
const taken = (): PublicError =>
  new PublicError("conflict", "Another gateway of this environment has the name.");

/** What is wrong with a configuration, as the refusal of the request that gave it. */
function checked<Value>(make: () => Value): Value {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof GatewayRefused)) throw error;
    const { path, message } = error.fault ?? { path: "", message: error.message };
    throw notValid("body", [{ path, code: "invalid", message }]);
  }
}

function requirePartner(call: Call<unknown, unknown>, id: string | null | undefined): void {
  if (id && call.context.directory.partner(id) === undefined)
    throw notValid("body", [
      { path: "partner_id", code: "not_found", message: "there is no such partner" },
    ]);
}

/** A kind that may be somewhere is not always one to add there. */
function requireAddable(kind: GatewayKind, environment: Environment): void {
  if (kind.addedIn !== undefined && !kind.addedIn.includes(environment))
    throw notValid("body", [
      {
        path: "kind",
        code: "not_allowed",
        message: `${environment} has no ${kind.kind} gateways: to try it without a provider there is log`,
      },
    ]);
}

/** What a gateway goes through has to be there when somebody says so; what becomes of it later, its messages wait for. */
function requireThrough(call: Call<unknown, unknown>, config: Gateway): void {
  const message = throughFault(config, all(call));
  if (message !== undefined)
    throw notValid("body", [{ path: "settings.via", code: "not_allowed", message }]);
}

/** `next` is what a gateway is to be, undefined where it is to be removed: the ones that go through it must still be able to. Being disabled is no such change: they wait. */
function requireSpared(
  call: Call<unknown, unknown>,
  { gateway_id }: Gateway,
  next?: Gateway,
): void {
  const left = next === undefined ? [] : [{ ...next, enabled: true }];
  const lost = all(call).filter(
    (other) => throughOf(other)?.gateway === gateway_id && throughFault(other, left) !== undefined,
  );
  if (lost.length > 0)
    throw new PublicError(
      "conflict",
      `${lost.map(({ name }) => name).join(", ")} would have nothing to go through: remove that first, or let it go through another gateway.`,
    );
}

/** Changes one gateway, and answers when this process goes by it. */
async function change(
  call: Call<unknown, unknown>,
  id: string,
  name: string,
  decide: (stored: StoredGateway | undefined) => Decision<GatewayRefusal>,
): Promise<{ readonly stored: StoredGateway | undefined; readonly position: bigint | undefined }> {
  const { state, position } = await changeOnce<StoredGateway>(call, {
    log: call.context.platformLog.forPartner(call.partner.partner_id),
    stream: streamOf("gateway", id),
    name: `${name} ${id}`,
    correlation: id,
    evolve: evolveGateway,
    decide(stored) {
      // One of the live environment is not even seen with a key of the sandbox.
      const seen = stored === undefined || reaches(call, stored.config) ? stored : undefined;
      if (seen !== undefined && name !== "create")
        requireMatch(call as Call, etagOf(seen.revision));
      const decision = decide(seen);
      if (!("refusal" in decision)) return decision;
      return { refusal: decision.refusal === "taken" ? taken() : notFound() };
    },
  });
  await untilInEffect(call as Call, position);
  return { stored: state, position };
}

const reaches = (call: Call<unknown, unknown>, { environment }: Gateway): boolean =>
  reachable(call).includes(environment);

/** With the address for its provider, as it is reached from outside. */
function shown(call: Call<unknown, unknown>, config: Gateway): ReturnType<typeof gatewayView> {
  const { settings, masterKey } = call.context;
  const url = takesCallbacks(config)
    ? callbackUrl(originOf(call.request, settings), masterKey, config.gateway_id)
    : null;
  return gatewayView(config, url);
}

const answered = (
  call: Call<unknown, unknown>,
  status: 200 | 201,
  { stored, position }: Awaited<ReturnType<typeof change>>,
): Answer => ({
  status,
  body: shown(call, stored!.config),
  etag: etagOf(stored!.revision),
  ...(position !== undefined && { position }),
});

async function create(call: Call<CreateGateway, unknown>): Promise<Answer> {
  const { environment = call.env, name, channel, kind, secrets, partner_id } = call.body;
  if (!reachable(call).includes(environment))
    throw notValid("body", [
      { path: "environment", code: "not_allowed", message: "takes a live admin key" },
    ]);
  requirePartner(call, partner_id);
  const { body } = call;
  const described = checked(() => kindOf({ name, kind }));
  requireAddable(described, environment);
  const uncertain = body.uncertain ?? (described.asks ? "ask" : "give_up");
  const id = deterministicId("gtw", environment, name);
  const config = checked(() =>
    configured(
      {
        gateway_id: id,
        environment,
        name,
        enabled: body.enabled ?? true,
        weight: body.weight ?? 100,
        max_concurrent: body.max_in_flight ?? 256,
        timeout_ms: body.timeout_ms ?? 10_000,
        channel,
        kind,
        on_uncertain: onUncertain(uncertain),
        settings: body.settings ?? {},
        ...(body.max_per_second !== undefined && { max_per_second: body.max_per_second }),
        ...(body.slow_after_ms !== undefined && { slow_after_ms: body.slow_after_ms }),
        ...(body.cost !== undefined && { cost: body.cost }),
        ...(body.countries !== undefined && { countries: body.countries }),
        ...(partner_id !== undefined && { partner_id }),
      },
      secretTexts(secrets),
      call.context.masterKey,
    ),
  );
  requireThrough(call, config);
  const made = await change(call, id, "create", (stored) => decideCreation(stored, config));
  return answered(call, 201, made);
}

async function patch(call: Call<PatchGateway, unknown>): Promise<Answer> {
  const { secrets, ...fields } = call.body;
  requirePartner(call, fields.partner_id);
  const changed = await change(call, idOf(call), "change", (stored) =>
    decideChange(stored, (config) => {
      const next = checked(() =>
        reconfigured(patched(config, fields), secretTexts(secrets), call.context.masterKey),
      );
      if (fields.settings !== undefined || fields.partner_id !== undefined)
        requireThrough(call, next);
      requireSpared(call, config, next);
      return next;
    }),
  );
  return answered(call, 200, changed);
}

const switched =
  (enabled: boolean) =>
  async (call: Call<undefined, unknown>): Promise<Answer> => {
    const name = enabled ? "enable" : "disable";
    const changed = await change(call, idOf(call), name, (stored) =>
      decideChange(stored, (config) => ({ ...config, enabled })),
    );
    return answered(call, 200, changed);
  };

async function remove(call: Call): Promise<Answer> {
  const at = new Date().toISOString();
  const { position } = await change(call, idOf(call), "remove", (stored) => {
    if (stored !== undefined) requireSpared(call, stored.config);
    return decideRemoval(stored, at);
  });
  return { status: 204, ...(position !== undefined && { position }) };
}

function idOf(call: Call<unknown, unknown>): string {
  const id = call.params["id"]!;
  if (!isId("gtw", id)) throw notFound();
  return id;
}

const all = (call: Call<unknown, unknown>): readonly Gateway[] =>
  environments
    .flatMap((environment) => call.context.directory.gateways(environment))
    .filter((gateway) => reaches(call, gateway));

function list(call: Call<undefined, GatewaysQuery>): Answer {
  const page = pageOf(call, "admin-gateways");
  const { environment: wanted } = call.query;
  const keyOf = ({ environment, name }: Gateway): string => `${environment} ${name}`;
  const sorted = all(call)
    .filter(({ environment }) => wanted === undefined || environment === wanted)
    .toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
  const rows = slicePage(sorted, page, keyOf);
  const show = (config: Gateway) => shown(call, config);
  return { status: 200, body: listBody(call, "admin-gateways", page, rows, keyOf, show) };
}

async function read(call: Call): Promise<Answer> {
  let stored: StoredGateway | undefined;
  const id = idOf(call);
  for (const event of await call.context.platformLog.readStream(streamOf("gateway", id)))
    stored = evolveGateway(stored, event);
  if (stored === undefined || !reaches(call, stored.config)) throw notFound();
  return answered(call, 200, { stored, position: undefined });
}

const Tested = z
  .object({
    ok: z.boolean(),
    duration_ms: z.int(),
    error: z.string().nullable().meta({ description: "What the provider or the network said." }),
    request: z.looseObject({}).nullable().meta({
      description:
        "Of a kind whose requests are configured: the one for a message, without its secrets; it is not sent.",
    }),
  })
  .meta({ id: "TestedGateway" });

/** Reaches the provider with the stored credentials. The message of a refusal is the operator's to see. */
async function tryOut(call: Call): Promise<Answer> {
  const id = idOf(call);
  const config = all(call).find(({ gateway_id }) => gateway_id === id);
  if (config === undefined) throw notFound();
  const start = performance.now();
  const error = await reached(call, config).catch((cause: Error) => cause.message.slice(0, 500));
  const duration_ms = Math.round(performance.now() - start);
  const request = previewOf(config, sample(config)) ?? null;
  return {
    status: 200,
    body: { ok: error === undefined, duration_ms, error: error ?? null, request },
  };
}

/** A message that is nobody's. */
const sample = ({ channel, gateway_id }: Gateway): Parameters<typeof previewOf>[1] => ({
  attemptId: attemptIdOf(gateway_id, 1),
  messageId: deterministicId("msg", gateway_id),
  attempt: 1,
  channel,
  to: channel === "email" ? "ada@example.com" : "+15550000001",
  content: { text: 'Hello "Ada" & <Bob>' },
  partner: "",
});

async function reached(call: Call, config: Gateway): Promise<undefined> {
  const { settings: declaring, masterKey, logger } = call.context;
  const origin = originOf(call.request, declaring);
  const opened: ReturnType<typeof createGateway>[] = [];
  const open = (one: Gateway): ReturnType<typeof createGateway> => {
    const gateway = createGateway(one.environment, one, tools);
    opened.push(gateway);
    return gateway;
  };
  const tools: Parameters<typeof createGateway>[2] = {
    logger,
    masterKey,
    declaring,
    onReceipt: async () => undefined,
    origin,
    carrier(id) {
      const via = all(call).find(({ gateway_id, enabled }) => gateway_id === id && enabled);
      return via && open(via);
    },
  };
  try {
    await open(config).check?.(AbortSignal.timeout(checkMs));
  } finally {
    for (const gateway of opened) await gateway.close();
  }
}

const changing = [
  "invalid_request",
  "malformed_json",
  "not_found",
  "conflict",
  "precondition_failed",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "log_unavailable",
] as const;
const about = { scope: "admin", etag: true, response: AdminGateway } as const;

export const gatewayRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/admin/gateways",
    ...about,
    summary: "Add a gateway; messages may go through it at once",
    mutates: true,
    status: 201,
    body: CreateGateway,
    errors: changing,
    handler: create,
  }),
  route({
    method: "GET",
    path: "/admin/gateways",
    scope: "admin",
    summary: "The gateways of both environments with their settings",
    query: GatewaysQuery,
    response: listOf(AdminGateway, "AdminGatewayList"),
    errors: ["invalid_request"],
    handler: list,
  }),
  route({
    method: "GET",
    path: "/admin/gateways/:id",
    ...about,
    summary: "A gateway with its settings",
    errors: ["not_found"],
    handler: read,
  }),
  route({
    method: "PATCH",
    path: "/admin/gateways/:id",
    ...about,
    summary: "Change a gateway; in force everywhere within a second",
    mutates: true,
    body: PatchGateway,
    errors: changing,
    handler: patch,
  }),
  route({
    method: "DELETE",
    path: "/admin/gateways/:id",
    ...about,
    summary: "Remove a gateway; calls that are under way end",
    mutates: true,
    status: 204,
    response: undefined,
    errors: changing,
    handler: remove,
  }),
  ...([true, false] as const).map((enabled) =>
    route({
      method: "POST",
      path: `/admin/gateways/:id/${enabled ? "enable" : "disable"}`,
      ...about,
      summary: enabled
        ? "Let messages go through a gateway"
        : "Let no more messages go through a gateway; calls that are under way end",
      mutates: true,
      errors: changing,
      handler: switched(enabled),
    }),
  ),
  route({
    method: "POST",
    path: "/admin/gateways/:id/test",
    scope: "admin",
    summary: "Reach a gateway's provider with its credentials; sends nothing",
    response: Tested,
    errors: ["not_found"],
    handler: tryOut,
  }),
];
