import { paced } from "@heliograph/gateways";
import { carries } from "@heliograph/domain";
import type { Gateway } from "@heliograph/platform";
import { type GatewayHealth, readGatewayHealth } from "../tables/gateways.ts";
import { z } from "zod";
import {
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

const latency = z.number().nullable();
const GatewayView = z
  .object({
    id: z.string(),
    name: z.string(),
    channel: z.string(),
    kind: z.string(),
    status: z.enum(["enabled", "disabled"]),
    breaker: z.enum(["closed", "open", "half_open"]),
    slow: z.string().nullable().meta({
      description:
        "Why only what has no other way goes by it: its calls have become slow. null: that is not so.",
      example: null,
    }),
    throttled_until: z.string().nullable().meta({
      description:
        "Until when nothing goes by it, because its provider takes no more for now (429). null: that is not so.",
      example: null,
    }),
    success_rate: z.number().nullable().meta({ description: "Of the last calls, 0 to 1." }),
    latency_ms: z.object({ p50: latency, p95: latency }),
    max_per_second: z.number().nullable(),
  })
  .meta({ id: "Gateway" });

const gatewayView = (gateway: Gateway, health: GatewayHealth | undefined): object => ({
  id: gateway.gateway_id,
  name: gateway.name,
  channel: gateway.channel,
  kind: gateway.kind,
  status: gateway.enabled ? "enabled" : "disabled",
  breaker: health?.breaker ?? "closed",
  slow: health?.slow ?? null,
  throttled_until: restsUntil(health)?.toISOString() ?? null,
  success_rate: health?.success_rate ?? null,
  latency_ms: { p50: health?.latency_p50_ms ?? null, p95: health?.latency_p95_ms ?? null },
  max_per_second: paced(gateway).max_per_second ?? null,
});

/** What was written last may be over: a dispatch that stopped writes no more. */
const restsUntil = ({ throttled_until: until }: Partial<GatewayHealth> = {}): Date | undefined =>
  until && until.getTime() > Date.now() ? until : undefined;

async function list(call: Call<undefined, ListQuery>): Promise<Answer> {
  const page = pageOf(call, "gateways");
  const keyOf = (gateway: Gateway): string => gateway.name;
  const health = await readGatewayHealth(call.deps.projectionPool);
  // Another partner's own gateway is nobody else's business, and carries nothing of theirs.
  const gateways = call.context.directory
    .gateways(call.env)
    .filter((gateway) => call.admin || carries(gateway, call.account, ""));
  const rows = slicePage(gateways, page, keyOf);
  const show = (gateway: Gateway): object => gatewayView(gateway, health.get(gateway.gateway_id));
  return { status: 200, body: listBody(call, "gateways", page, rows, keyOf, show) };
}

export const gatewayRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/gateways",
    scope: "gateways:read",
    summary: "The gateways of this environment that may carry your messages, and how they do",
    query: ListQuery,
    response: listOf(GatewayView, "GatewayList"),
    errors: ["invalid_request"],
    handler: list,
  }),
];
