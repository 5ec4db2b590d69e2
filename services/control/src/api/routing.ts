import { type EventData, environments, streamOf } from "@heliograph/contracts";
import { RoutingRule, RoutingRules, routingFaults } from "@heliograph/domain";
import type { Routing } from "@heliograph/platform";
import {
  type Answer,
  type Call,
  type Route,
  changeOnce,
  etagOf,
  notValid,
  reachable,
  requireMatch,
  route,
  untilInEffect,
} from "@heliograph/api";
import { z } from "zod";

const SetRouting = z
  .strictObject({
    environment: z.enum(environments).optional().meta({ description: "Default: the key's." }),
    rules: RoutingRules,
  })
  .meta({ id: "SetRouting" });
type SetRouting = z.infer<typeof SetRouting>;

const RoutingView = z
  .object({
    environment: z.enum(environments),
    rules: z.array(RoutingRule).meta({ description: "The first that matches a message counts." }),
    configured_at: z.string().nullable(),
  })
  .meta({ id: "Routing" });
const RoutingQuery = z.strictObject({ environment: z.enum(environments).optional() });

type Environment = (typeof environments)[number];
const view = (environment: Environment, routing: Routing | undefined): object => ({
  environment,
  rules: routing?.rules ?? [],
  configured_at: routing?.configured_at ?? null,
});
const tagOf = (routing: Routing | undefined): string => etagOf(routing?.revision ?? -1);

function environmentOf(
  call: Call<unknown, unknown>,
  given: Environment | undefined,
  where: "body" | "query",
): Environment {
  const environment = given ?? call.env;
  if (!reachable(call).includes(environment))
    throw notValid(where, [
      { path: "environment", code: "not_allowed", message: "takes a live admin key" },
    ]);
  return environment;
}

async function put(call: Call<SetRouting, unknown>): Promise<Answer> {
  const { rules } = call.body;
  const environment = environmentOf(call, call.body.environment, "body");
  const { directory } = call.context;
  const faults = routingFaults(rules, directory.gateways(environment), directory, environment);
  if (faults.length > 0) throw notValid("body", faults);
  const { state, position } = await changeOnce<Routing>(call, {
    log: call.context.platformLog.forPartner(call.partner.partner_id),
    stream: streamOf("routing", environment),
    name: `routing ${environment}`,
    correlation: environment,
    evolve: (routing, { type, data, revision }) =>
      type === "RoutingConfigured"
        ? { ...(data as EventData<"RoutingConfigured">), revision }
        : routing,
    decide(routing) {
      requireMatch(call as Call, tagOf(routing));
      if (JSON.stringify(routing?.rules ?? []) === JSON.stringify(rules)) return { events: [] };
      const configured_at = new Date().toISOString();
      return {
        events: [{ type: "RoutingConfigured", data: { environment, rules, configured_at } }],
      };
    },
  });
  if (position !== undefined) await untilInEffect(call as Call, position);
  return { status: 200, body: view(environment, state), etag: tagOf(state), position };
}

function read(call: Call<undefined, z.infer<typeof RoutingQuery>>): Answer {
  const environment = environmentOf(call, call.query.environment, "query");
  const routing = call.context.directory.routingState(environment);
  return { status: 200, body: view(environment, routing), etag: tagOf(routing) };
}

export const routingRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/admin/routing",
    scope: "admin",
    summary: "The rules by which messages find their gateway",
    query: RoutingQuery,
    etag: true,
    response: RoutingView,
    errors: ["invalid_request"],
    handler: read,
  }),
  route({
    method: "PUT",
    path: "/admin/routing",
    scope: "admin",
    summary:
      "Replace the rules by which messages find their gateway; in force everywhere within a second",
    mutates: true,
    etag: true,
    body: SetRouting,
    response: RoutingView,
    errors: [
      "invalid_request",
      "malformed_json",
      "conflict",
      "precondition_failed",
      "idempotency_in_progress",
      "idempotency_key_reused",
      "log_unavailable",
    ],
    handler: put,
  }),
];
