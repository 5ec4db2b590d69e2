import { type Answer, type Call, type Route, notValid, route } from "@heliograph/api";
import { planSender, readChoices, senderIn } from "@heliograph/acceptance";
import { channelModule, type Recipient } from "@heliograph/channels";
import { channels, categories, type Channel, type EventData } from "@heliograph/contracts";
import { SenderPoolOfMessage, SenderRuleOfMessage } from "@heliograph/domain";
import { meansOf } from "@heliograph/gateways";
import { z } from "zod";
import { choose } from "../choose.ts";
import { deviceTokens, isDevice } from "../devices.ts";
import { explained, healthNow, withRoom } from "../explained.ts";
import { routeOf, rulesByChannel, takenThere } from "../routing.ts";
import { readGatewayHealth } from "../tables/gateways.ts";

const ExplainRoute = z
  .strictObject({
    channel: z.enum(channels),
    to: z.string().min(1).max(512),
    from: z.string().min(1).max(512).optional(),
    sender_pool: z.string().min(1).max(64).optional().meta({
      description: "A pool of senders, by its id or name.",
    }),
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
    from: z.string().optional().meta({ description: "The sender that it would have." }),
    sender_pool: SenderPoolOfMessage.optional(),
    sender_rule: SenderRuleOfMessage.optional(),
    considered: z.array(
      z.object({
        gateway: z.string(),
        verdict: z.string(),
        excluded: z.literal(true).optional().meta({
          description: "It may not carry the message with its sender to that country.",
        }),
      }),
    ),
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
  const { channel, category = "transactional", partner_id } = call.body;
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
      const now = health.get(config.gateway_id) ?? {
        breaker: "closed",
        slow: null,
        throttled_until: null,
      };
      return withRoom(config, healthNow(config, gateways, now));
    });
  const { country } = recipient.value;
  const sender = await senderFor(call, partner, recipient.value);
  const to = await addressOf(call, partner, channel, recipient.value.to);
  const { gateway_id: onlyBy, pool_id: pool } = sender.sender_pool ?? {};
  const message = { channel, to, from: sender.from, pool, onlyBy, category, country, partner };
  const routing = rulesByChannel(directory.routing(call.env), gateways);
  const route = routeOf(routing, ofChannel, message);
  const found = takenThere(route, message, directory.senderRules(call.env), meansOf);
  return {
    status: 200,
    body: { ...explained(found, choose(found, [], Math.random())), ...sender },
  };
}

/** The sender as a message to the recipient would have it now. */
async function senderFor(
  call: Call<z.infer<typeof ExplainRoute>, unknown>,
  partner: string,
  recipient: Recipient,
): Promise<Pick<EventData<"MessageRequested">, "from" | "sender_pool" | "sender_rule">> {
  const { directory } = call.context;
  const plan = planSender(
    {
      pools: directory.senderPools(call.env, partner),
      rules: directory.senderRules(call.env),
      gateways: directory.gateways(call.env, call.body.channel),
      partner,
    },
    call.body,
    recipient,
  );
  if (plan.type === "sender")
    return call.body.from === undefined ? plan.fields : { from: call.body.from, ...plan.fields };
  const { pool, usable, preferred } = plan;
  const space = directory.spaceOf(call.env, partner);
  const known = { log: call.deps.log.forPartner(space), vault: call.deps.vault };
  const [before] = await readChoices(known, space, [{ pool, to: recipient.to }]);
  return senderIn(pool, usable, before!, preferred)!.chosen;
}

export const explainRoute: Route = route({
  method: "POST",
  path: "/routing/explain",
  adminKeys: true,
  scope: "gateways:read",
  summary: "Which gateway a message would take now, and why; sends nothing",
  body: ExplainRoute,
  response: ExplainedRoute,
  errors: ["invalid_request", "malformed_json", "sender_not_allowed"],
  handler: explain,
});
