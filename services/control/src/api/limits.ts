import { type Answer, type Call, type Policy, type Route, route } from "@heliograph/api";
import { z } from "zod";

const LimitPolicy = z.object({
  name: z.enum(["requests", "burst", "messages", "day"]),
  limit: z.int(),
  window_seconds: z.int(),
  remaining: z.int(),
  reset_seconds: z.int(),
});
const LimitsView = z
  .object({
    policies: z.array(LimitPolicy),
    recipient_rate: z.object({ messages: z.int(), window_seconds: z.int() }).nullable(),
    allowed_countries: z.array(z.string()).nullable(),
    status: z.enum(["active", "suspended"]),
  })
  .meta({ id: "Limits" });

const policyView = (policy: Policy): z.infer<typeof LimitPolicy> => ({
  name: policy.name,
  limit: policy.limit,
  window_seconds: policy.windowSeconds,
  remaining: policy.remaining,
  reset_seconds: policy.resetSeconds,
});

async function read({ partner, limits }: Call): Promise<Answer> {
  const policies = await limits!.look();
  return {
    status: 200,
    body: {
      policies: policies.map(policyView),
      recipient_rate: partner.recipient_rate ?? null,
      allowed_countries: partner.allowed_countries ?? null,
      status: partner.status,
    },
  };
}

export const limitRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/limits",
    scope: "limits:read",
    summary: "What you may do, and what is left of it now",
    etag: true,
    response: LimitsView,
    errors: [],
    handler: read,
  }),
];
