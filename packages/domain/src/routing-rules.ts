import {
  categories,
  channels,
  type EventData,
  type FieldError,
  type Environment,
} from "@heliograph/contracts";
import { z } from "zod";

/** One rule by which messages find their gateway, as operators give it. */
export const RoutingRule = z.strictObject({
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
      sender_pool: z.string().max(64).optional().meta({
        description: "The id of the pool that the sender was taken of.",
        example: "spl_01HNQX2P8Y9R3T4V5W6Z7A8B9C",
      }),
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
/** All of them: the first that matches a message counts. */
export const RoutingRules = z.array(RoutingRule).max(200);

/** Every gateway and partner must be there, and a gateway carry the channel that is asked for. Gives what is wrong with the rules of an environment. */
export function routingFaults(
  rules: z.infer<typeof RoutingRules>,
  gateways: readonly EventData<"GatewayConfigured">[],
  partners: { partner(id: string): unknown },
  environment: Environment,
): readonly FieldError[] {
  const known = new Map(gateways.map((gateway) => [gateway.gateway_id, gateway]));
  return rules.flatMap(({ match, gateways: named }, index) => [
    ...named.flatMap((id, place) => {
      const path = `rules.${index}.gateways.${place}`;
      const gateway = known.get(id);
      if (gateway === undefined)
        return { path, code: "not_found", message: `${environment} has no such gateway` };
      if (named.indexOf(id) < place) return { path, code: "duplicate", message: "is named twice" };
      return match.channel === undefined || match.channel === gateway.channel
        ? []
        : { path, code: "invalid", message: `carries ${gateway.channel}` };
    }),
    ...(match.partner === undefined || partners.partner(match.partner) !== undefined
      ? []
      : [
          {
            path: `rules.${index}.match.partner`,
            code: "not_found",
            message: "there is no such partner",
          },
        ]),
  ]);
}
