import {
  type EventData,
  channels,
  categories,
  environments,
  streamOf,
} from "@heliograph/contracts";
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

const Rule = z.strictObject({
  match: z
    .strictObject({
      channel: z.enum(channels).optional(),
      country_prefix: z
        .string()
        .regex(/^\+?[1-9]\d{0,6}$/, "must be the first digits of a number, such as +48")
        .overwrite((text) => text.replace("+", ""))
        .optional()
        .meta({ description: "The first digits of the number.", example: "+48" }),
      partner: z.string().max(64).optional(),
      category: z.enum(categories).optional(),
      sender: z.string().min(1).max(512).optional(),
    })
    .meta({ description: "Which messages; what is left out may be anything." }),
  policy: z.enum(["weighted", "least_cost", "priority"]),
  gateways: z
    .array(z.string().max(64))
    .min(1)
    .max(20)
    .meta({ description: "Ids, the first first." }),
  failover: z.boolean().default(true).meta({
    description: "Whether another of them may have the message when the one that was taken fails.",
  }),
});
const SetRouting = z
  .strictObject({
    environment: z.enum(environments).optional().meta({ description: "Default: the key's." }),
    rules: z.array(Rule).max(200),
  })
  .meta({ id: "SetRouting" });
type SetRouting = z.infer<typeof SetRouting>;

const RoutingView = z
  .object({
    environment: z.enum(environments),
    rules: z.array(Rule).meta({ description: "The first that matches a message counts." }),
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

/** Every gateway and partner must be there, and a gateway carry the channel that is asked for. */
function requireKnown(
  call: Call<unknown, unknown>,
  environment: Environment,
  rules: SetRouting["rules"],
): void {
  const { directory } = call.context;
  const known = new Map(
    directory.gateways(environment).map((gateway) => [gateway.gateway_id, gateway]),
  );
  const faults = rules.flatMap(({ match, gateways }, index) => [
    ...gateways.flatMap((id, place) => {
      const path = `rules.${index}.gateways.${place}`;
      const gateway = known.get(id);
      if (gateway === undefined)
        return { path, code: "not_found", message: `${environment} has no such gateway` };
      if (gateways.indexOf(id) < place)
        return { path, code: "duplicate", message: "is named twice" };
      return match.channel === undefined || match.channel === gateway.channel
        ? []
        : { path, code: "invalid", message: `carries ${gateway.channel}` };
    }),
    ...(match.partner === undefined || directory.partner(match.partner) !== undefined
      ? []
      : [
          {
            path: `rules.${index}.match.partner`,
            code: "not_found",
            message: "there is no such partner",
          },
        ]),
  ]);
  if (faults.length > 0) throw notValid("body", faults);
}

async function put(call: Call<SetRouting, unknown>): Promise<Answer> {
  const { rules } = call.body;
  const environment = environmentOf(call, call.body.environment, "body");
  requireKnown(call, environment, rules);
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
