import { type Answer, type Call, type Route, notValid, route } from "@heliograph/api";
import { channelModule } from "@heliograph/channels";
import { channels, categories, type Channel } from "@heliograph/contracts";
import { z } from "zod";
import { choose } from "../choose.ts";
import { deviceTokens, isDevice } from "../devices.ts";
import { explained, unhealthyNow, withRoom } from "../explained.ts";
import { routeOf, rulesByChannel } from "../routing.ts";
import { readGatewayHealth } from "../tables/gateways.ts";

const ExplainRoute = z
  .strictObject({
    channel: z.enum(channels),
    to: z.string().min(1).max(512),
    from: z.string().min(1).max(512).optional(),
    category: z.enum(categories).optional(),
    partner_id: z
      .string()
      .max(64)
      .optional()
      .meta({ description: "For administrators; default: you." }),
  })
  .meta({ id: "ExplainRoute" });

const ExplainedRoute = z
  .object({
    gateway: z
      .string()
      .nullable()
      .meta({ description: "The name of the one that would be taken now; null: none can be." }),
    reason: z.string(),
    considered: z.array(z.object({ gateway: z.string(), verdict: z.string() })),
  })
  .meta({ id: "ExplainedRoute" });

/** The token of a device, as an attempt would have it now: by it the gateway is chosen. One that is not known goes as it is, as a message to it would. */
async function addressOf(
  { env: environment, deps: { pool, vault } }: Call<unknown, unknown>,
  partner: string,
  channel: Channel,
  to: string,
): Promise<string> {
  if (!isDevice(channel, to)) return to;
  return (await deviceTokens({ environment, pool, vault })?.(partner, to)) ?? to;
}

/** The rules, weights and breakers as they are; who is drawn by weight is drawn as for a message. What is at its limit right now only dispatch knows. */
async function explain(call: Call<z.infer<typeof ExplainRoute>, unknown>): Promise<Answer> {
  const { channel, from, category = "transactional", partner_id } = call.body;
  const partner = partner_id ?? call.account;
  if (partner !== call.account && !call.admin)
    throw notValid("body", [
      { path: "partner_id", code: "not_allowed", message: "is for administrators" },
    ]);
  const recipient = channelModule(channel).recipient(call.body.to);
  if (recipient.kind === "fault") {
    const { code, message } = recipient;
    throw notValid("body", [{ path: "to", code, message }]);
  }
  const { directory } = call.context;
  const health = await readGatewayHealth(call.deps.projectionPool);
  const gateways = directory.gateways(call.env);
  const ofChannel = gateways
    .filter((gateway) => gateway.enabled && gateway.channel === channel)
    .map((config) => {
      const breaker = health.get(config.gateway_id)?.breaker ?? "closed";
      return withRoom(config, unhealthyNow(config, gateways, breaker));
    });
  const { country } = recipient.value;
  const to = await addressOf(call, partner, channel, recipient.value.to);
  const message = { channel, to, from, category, country, partner };
  const found = routeOf(rulesByChannel(directory.routing(call.env), gateways), ofChannel, message);
  return { status: 200, body: explained(found, choose(found, [], Math.random())) };
}

export const explainRoute: Route = route({
  method: "POST",
  path: "/routing/explain",
  adminKeys: true,
  scope: "gateways:read",
  summary: "Which gateway a message would take now, and why; sends nothing",
  body: ExplainRoute,
  response: ExplainedRoute,
  errors: ["invalid_request", "malformed_json"],
  handler: explain,
});
