import { ListQuery, TimeInput } from "@heliograph/api";
import { environments } from "@heliograph/contracts";
import { currencyPattern, Money, PriceEntries, RoutingRules } from "@heliograph/domain";
import { z } from "zod";

const Environment = z.enum(environments);

export const RequestBacktest = z
  .strictObject({
    environment: Environment.optional().meta({ description: "Default: the key's." }),
    from: TimeInput.meta({ description: "Messages accepted from then on. RFC 3339." }),
    to: TimeInput.meta({
      description: "Messages accepted before then; at most 31 days later, and not ahead.",
    }),
    partner: z.string().max(64).optional().meta({ description: "Only what it sent." }),
    routing: z
      .strictObject({ rules: RoutingRules })
      .optional()
      .meta({ description: "As `PUT /admin/routing` takes them; left out: where each one went." }),
    prices: z
      .strictObject({
        list: z.string().max(64).optional().meta({
          description: "Only what this list priced is priced anew; left out: all in the currency.",
        }),
        currency: z.string().regex(currencyPattern, "must be an ISO 4217 code").default("USD"),
        entries: PriceEntries,
      })
      .optional()
      .meta({ description: "As `PUT /admin/prices` takes them; left out: what each one cost." }),
  })
  .meta({
    id: "RequestBacktest",
    example: {
      from: "2026-05-01T00:00:00Z",
      to: "2026-05-23T00:00:00Z",
      prices: { entries: [{ channel: "whatsapp", prefix: "49", per_segment: "0.012" }] },
    },
  });

export const BacktestsQuery = ListQuery.omit({ before: true }).extend({
  environment: Environment.optional(),
});

const Cell = z.object({
  messages: z.int(),
  cost: Money.meta({ description: "What providers take, where both sides are known." }),
  charge: Money.meta({ description: "What partners pay." }),
});
const Group = z.object({
  name: z.string().nullable().meta({ description: "null: none." }),
  currency: z.string(),
  before: Cell.meta({ description: "As it was." }),
  after: Cell.meta({ description: "As it would have been." }),
  cost_difference: Money,
  charge_difference: Money,
});
const Side = z.object({
  gateway: z.string().nullable().meta({ description: "null: none carries it." }),
  cost: Money.nullable().meta({ description: "null: not known." }),
  charge: Money,
});
const Example = z.object({
  message_id: z.string(),
  partner_id: z.string(),
  channel: z.string(),
  country: z.string().nullable(),
  currency: z.string(),
  before: Side,
  after: Side,
  decision: z
    .object({
      reason: z.string(),
      considered: z.array(z.object({ gateway: z.string(), verdict: z.string() })),
    })
    .optional()
    .meta({ description: "As `POST /routing/explain` tells it." }),
});
const Result = z.object({
  judged: z.int().meta({ description: "How many messages say something about the rules." }),
  not_judged: z.record(z.string(), z.int()).meta({
    description: "Messages that say nothing about the rules, by the reason.",
  }),
  gateway_changed: z.int().meta({
    description: "How many would have gone to another gateway.",
  }),
  gateway_drawn: z.int().meta({
    description: "Of those, for how many the gateway that had it might have been drawn as well.",
  }),
  repriced: z.int().meta({ description: "For how many the prices that are tried count." }),
  not_carried: z.int().meta({ description: "For how many there would have been no gateway." }),
  cost_unknown: z.int().meta({ description: "How many the sums of cost leave out." }),
  totals: z.array(Group).meta({ description: "One for each currency." }),
  by_gateway: z.array(Group).meta({ description: "The same by gateway, the largest first." }),
  by_channel: z.array(Group).meta({ description: "The same by channel, the largest first." }),
  by_country: z.array(Group).meta({ description: "The same by country, the largest first." }),
  examples: z.array(Example).meta({ description: "The first hundred for which it differs." }),
});

const summary = {
  id: z.string(),
  environment: Environment,
  status: z.enum(["queued", "running", "done", "failed", "canceled"]),
  from: z.string(),
  to: z.string(),
  partner: z.string().nullable(),
  rules: z.int().nullable().meta({ description: "How many are tried; null: no routing." }),
  prices: z.int().nullable().meta({ description: "How many entries are tried; null: no prices." }),
  health: z.literal("neutral").meta({
    description:
      "Every gateway is taken as healthy, but for those that failed the message itself before another one took it.",
  }),
  progress: z.number().meta({ description: "From 0 to 1." }),
  complete: z.boolean().nullable().meta({
    description:
      "false: it ended at ten million messages of the window, whosever they are; null: it has not ended.",
  }),
  error: z.string().nullable(),
  created_at: z.string(),
  finished_at: z.string().nullable(),
};
export const BacktestSummary = z.object(summary).meta({ id: "BacktestSummary" });
export const BacktestView = z
  .object({ ...summary, result: Result.nullable().meta({ description: "So far." }) })
  .meta({ id: "Backtest" });
