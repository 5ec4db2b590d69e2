import { type EventData, PublicError, environments, streamOf } from "@heliograph/contracts";
import type { Partner } from "@heliograph/platform";
import { z } from "zod";
import {
  type Call,
  ListQuery,
  listBody,
  listOf,
  pageOf,
  slicePage,
  appendPlatform,
  created,
  showsSecrets,
  type Answer,
  type Route,
  route,
} from "@heliograph/api";
import { issueKey } from "../issue-key.ts";

const RateLimit = z.strictObject({
  requests: z.int().min(1).max(1_000_000),
  window_seconds: z.int().min(1).max(3_600),
});

const CreatePartner = z
  .strictObject({
    name: z.string().min(1).max(200),
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/, "must be an ISO 4217 code")
      .optional(),
    rate_limit: z
      .union([RateLimit, z.int().min(1).max(1_000_000)])
      .optional()
      .meta({ description: "A number is so many requests a second, as at webhook endpoints." }),
  })
  .meta({ id: "CreatePartner" });

const shown = {
  id: z.string(),
  name: z.string(),
  currency: z.string(),
  rate_limit: RateLimit.nullable(),
  created_at: z.string(),
};
const PartnerView = z.object(shown).meta({ id: "Partner" });
const CreatedPartner = z
  .object({
    ...shown,
    keys: z.object({ live: z.string(), sandbox: z.string() }).nullable().meta({
      description:
        "Shown once: null when an idempotency key is used again after its answer was dropped.",
    }),
  })
  .meta({ id: "CreatedPartner" });

const partnerView = (partner: Partner): object => ({
  id: partner.partner_id,
  name: partner.name,
  currency: partner.currency,
  rate_limit: partner.rate_limit ?? null,
  created_at: partner.created_at,
});

async function create(call: Call<z.infer<typeof CreatePartner>, unknown>): Promise<Answer> {
  if (call.env !== "live")
    throw new PublicError("insufficient_scope", "Partners are created with a live admin key.");
  const priced = call.context.directory.prices()?.currency ?? "USD";
  const { name, currency = priced, rate_limit: given } = call.body;
  const rate_limit = typeof given === "number" ? { requests: given, window_seconds: 1 } : given;
  if (currency !== priced)
    throw new PublicError("invalid_request", `There are no prices in ${currency}.`, {
      errors: [{ path: "currency", code: "not_priced", message: `prices are in ${priced}` }],
    });
  const id = call.derivedId("ptn");
  const data: EventData<"PartnerCreated"> = {
    partner_id: id,
    name,
    currency,
    ...(rate_limit !== undefined && { rate_limit }),
    created_at: new Date().toISOString(),
  };
  const [live, sandbox] = environments.map((environment) =>
    issueKey(call, environment, id, environment, { name: `first ${environment}`, scopes: ["*"] }),
  );
  const { position, repeated } = await appendPlatform(call, [
    created(call, streamOf("partner", id), "partner", "PartnerCreated", data),
    live!.append,
    sandbox!.append,
  ]);
  const partner = call.context.directory.partner(id) ?? data;
  const keys = showsSecrets(call, repeated) ? { live: live!.key, sandbox: sandbox!.key } : null;
  return { status: 201, body: { ...partnerView(partner), keys }, position };
}

function list(call: Call<undefined, ListQuery>): Answer {
  const page = pageOf(call, "partners");
  const keyOf = (partner: Partner): string => `${partner.created_at} ${partner.partner_id}`;
  const sorted = call.context.directory
    .partners()
    .toSorted((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
  const rows = slicePage(sorted, page, keyOf);
  return { status: 200, body: listBody(call, "partners", page, rows, keyOf, partnerView) };
}

export const partnerRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/admin/partners",
    scope: "admin",
    summary: "Create a partner with a key for each environment",
    mutates: true,
    status: 201,
    body: CreatePartner,
    response: CreatedPartner,
    errors: [
      "invalid_request",
      "malformed_json",
      "idempotency_in_progress",
      "idempotency_key_reused",
      "log_unavailable",
    ],
    handler: create,
  }),
  route({
    method: "GET",
    path: "/admin/partners",
    scope: "admin",
    summary: "List partners, oldest first",
    query: ListQuery,
    response: listOf(PartnerView, "PartnerList"),
    errors: ["invalid_request"],
    handler: list,
  }),
];
