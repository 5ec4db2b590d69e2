import { z } from "zod";
import { defineEvent } from "../define.ts";
import { plainText } from "../plain.ts";
import { Category, Channel, Id, Money, senderTypes, Time } from "./common.ts";

/**
 * Stream `gateway-<id>` of the `platform` namespace. The kind is text, so that a release which does not know it can read the event; it is checked where gateways are configured.
 * `secrets` are sealed, each by itself.
 */
export const GatewayConfigured = defineEvent(
  "GatewayConfigured",
  2,
  "A gateway was added or changed; what is secret is sealed.",
  z.strictObject({
    gateway_id: Id,
    environment: z.enum(["live", "sandbox"]),
    name: plainText(z.string().max(64)),
    channel: Channel,
    kind: plainText(z.string().min(1).max(32)),
    enabled: z.boolean(),
    /** Whose it is alone: what comes through it is that partner's. */
    partner_id: Id.optional(),
    weight: z.int().min(0).max(1000),
    max_per_second: z.number().min(0.01).max(1_000_000).optional(),
    max_concurrent: z.int().min(1).max(10_000),
    timeout_ms: z.int().min(100).max(120_000),
    on_uncertain: z.enum(["ask_provider", "at_most_once", "at_least_once"]),
    settings: z.record(z.string(), z.unknown()),
    secrets: z.record(z.string().max(64), z.string().max(20_000)).optional(),
    /** From this duration on its calls can be slow; left out: from half of `timeout_ms`. */
    slow_after_ms: z.int().min(10).max(120_000).optional(),
    /** What a segment costs there, in the currency of the price list; left out: not known, and dearer than any that is. */
    cost: Money.optional(),
    /** Where it carries to (ISO 3166-1 alpha-2); left out: everywhere. */
    countries: z.array(z.string().length(2)).min(1).max(250).optional(),
  }),
);

export const GatewayRemoved = defineEvent(
  "GatewayRemoved",
  1,
  "A gateway is gone; what was sent through it keeps its name.",
  z.strictObject({ gateway_id: Id, environment: z.enum(["live", "sandbox"]), removed_at: Time }),
);

/** Why a gateway's breaker opened: half of its calls failed by its own fault, no connection could be made, or half of its calls have become slow. */
export const gatewayTroubles = ["failing", "unreachable", "slow"] as const;
const health = {
  gateway_id: Id,
  name: plainText(z.string().max(64)),
  channel: Channel,
  /** When the breaker opened. */
  since: Time,
};
/** Stream `gateway-<id>` of the namespace of the gateway's environment, where what is sent through it is. With its owner as the partner; of one that all share it names nobody. */
export const GatewayDegraded = defineEvent(
  "GatewayDegraded",
  1,
  "The circuit breaker of a gateway opened: messages keep away from it.",
  z.strictObject({ ...health, reason: z.enum(gatewayTroubles) }),
);
export const GatewayRecovered = defineEvent(
  "GatewayRecovered",
  1,
  "The circuit breaker of a gateway that was told of as degraded has been closed for a while.",
  z.strictObject(health),
);

/** What a rule looks at; what is left out it does not look at. */
const RoutingMatch = z.strictObject({
  channel: Channel.optional(),
  /** The first digits of the number, without the plus. */
  country_prefix: plainText(z.string().max(8)).optional(),
  partner: Id.optional(),
  category: Category.optional(),
  /** What the message gives as `from`. */
  sender: z.string().max(512).optional(),
  /** The pool that its sender was taken of. */
  sender_pool: Id.optional(),
});

const SenderOfRule = plainText(z.string().max(20));
/** Stream `senderrules-<environment>` of the `platform` namespace: the rule of the longest prefix says which senders an SMS to a number may have. */
export const SenderRulesConfigured = defineEvent(
  "SenderRulesConfigured",
  1,
  "Which senders countries take was set anew.",
  z.strictObject({
    environment: z.enum(["live", "sandbox"]),
    rules: z
      .array(
        z.strictObject({
          country_prefix: plainText(z.string().max(8)),
          alphanumeric: z.boolean().optional(),
          types: z.array(z.enum(senderTypes)).max(3).optional(),
          registered: z.array(SenderOfRule).max(1_000).optional(),
          two_way: z.literal(true).optional(),
          default: SenderOfRule.optional(),
          replacement: SenderOfRule.optional(),
        }),
      )
      .max(300),
    configured_at: Time,
  }),
);

/** Stream `routing-<environment>` of the `platform` namespace: the first rule that matches a message says which gateways may carry it. */
export const RoutingConfigured = defineEvent(
  "RoutingConfigured",
  1,
  "The rules by which messages find their gateway were replaced.",
  z.strictObject({
    environment: z.enum(["live", "sandbox"]),
    rules: z
      .array(
        z.strictObject({
          match: RoutingMatch,
          policy: z.enum(["weighted", "least_cost", "priority"]),
          gateways: z.array(Id).min(1).max(20),
          failover: z.boolean(),
        }),
      )
      .max(200),
    configured_at: Time,
  }),
);
