import { type EventData, PublicError, environments, isId, streamOf } from "@heliograph/contracts";
import { evolvePartner, type Partner } from "@heliograph/platform";
import { z } from "zod";
import {
  type Call,
  changeOnce,
  etagOf,
  ListQuery,
  listBody,
  listOf,
  pageOf,
  slicePage,
  appendPlatform,
  created,
  requireMatch,
  untilInEffect,
  type Answer,
  type Route,
  route,
} from "@heliograph/api";
import { Countries } from "./countries.ts";
import { decideChange } from "../decide-partner.ts";
import { issueKey, shownKey } from "../issue-key.ts";

/** More than one installation does: what is larger is a slip. */
const most = 1_000_000;
const maxDailyMessages = 1_000_000_000;

const RateLimit = z.strictObject({
  requests: z.int().min(1).max(most),
  window_seconds: z.int().min(1).max(3_600),
  burst: z.int().min(1).max(most).optional().meta({
    description: "How many may come at once. Default: `requests`.",
  }),
});
/** A number is so many a second, as at webhook endpoints. */
const RateLimitInput = z.union([RateLimit, z.int().min(1).max(most)]);
const RecipientRate = z.strictObject({
  messages: z.int().min(1).max(10_000),
  window_seconds: z.int().min(1).max(3_600),
});

const CreatePartner = z
  .strictObject({
    name: z.string().min(1).max(200),
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/, "must be an ISO 4217 code")
      .optional(),
    rate_limit: RateLimitInput.optional().meta({
      description: "A number is so many requests a second, as at webhook endpoints.",
    }),
  })
  .meta({ id: "CreatePartner" });

const PatchPartner = z
  .strictObject({
    name: z.string().min(1).max(200).optional(),
    status: z.enum(["active", "suspended"]).optional(),
    rate_limit: RateLimitInput.nullable().optional(),
    message_rate: z.int().min(1).max(most).nullable().optional(),
    daily_messages: z.int().min(0).max(maxDailyMessages).nullable().optional(),
    recipient_rate: RecipientRate.nullable().optional(),
    allowed_countries: Countries.nullable().optional(),
  })
  .meta({ id: "PatchPartner" });

const shown = {
  id: z.string(),
  name: z.string(),
  currency: z.string(),
  status: z.enum(["active", "suspended"]),
  rate_limit: RateLimit.nullable(),
  message_rate: z.int().nullable(),
  daily_messages: z.int().nullable(),
  recipient_rate: RecipientRate.nullable(),
  allowed_countries: z.array(z.string()).nullable(),
  created_at: z.string(),
  updated_at: z.string(),
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
  status: partner.status,
  rate_limit: partner.rate_limit ?? null,
  message_rate: partner.message_rate ?? null,
  daily_messages: partner.daily_messages ?? null,
  recipient_rate: partner.recipient_rate ?? null,
  allowed_countries: partner.allowed_countries ?? null,
  created_at: partner.created_at,
  updated_at: partner.updated_at,
});

const rateLimitOf = <None extends null | undefined>(
  given: z.infer<typeof RateLimitInput> | None,
): z.infer<typeof RateLimit> | None =>
  typeof given === "number" ? { requests: given, window_seconds: 1 } : given;

/** A partner is the same in both environments, so a key of the sandbox alone makes and changes none. */
function requireLive(call: Call<unknown, unknown>): void {
  if (call.env !== "live")
    throw new PublicError("insufficient_scope", "Partners are managed with a live admin key.");
}

async function create(call: Call<z.infer<typeof CreatePartner>, unknown>): Promise<Answer> {
  requireLive(call);
  const priced = call.context.directory.prices()?.currency ?? "USD";
  const { name, currency = priced } = call.body;
  const rate_limit = rateLimitOf(call.body.rate_limit);
  const currencies = [...new Set([priced, ...call.context.directory.priceCurrencies()])];
  if (!currencies.includes(currency))
    throw new PublicError("invalid_request", `There are no prices in ${currency}.`, {
      errors: [
        { path: "currency", code: "not_priced", message: `prices are in ${currencies.join(", ")}` },
      ],
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
  const partner = call.context.directory.partner(id)!;
  const [forLive, forSandbox] = [live!, sandbox!].map((made) => shownKey(call, made, repeated));
  const keys = forLive && forSandbox ? { live: forLive, sandbox: forSandbox } : null;
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

function read(call: Call): Answer {
  const partner = call.context.directory.partner(call.params["id"]!);
  if (partner === undefined) throw partnerNotFound();
  return { status: 200, body: partnerView(partner), etag: etagOf(partner.revision) };
}

async function patch(call: Call<z.infer<typeof PatchPartner>, unknown>): Promise<Answer> {
  requireLive(call);
  const id = call.params["id"]!;
  if (!isId("ptn", id)) throw partnerNotFound();
  const fields = { ...call.body, rate_limit: rateLimitOf(call.body.rate_limit) };
  const { state, position } = await changeOnce<Partner>(call, {
    log: call.context.platformLog.forPartner(call.partner.partner_id),
    stream: streamOf("partner", id),
    name: `change ${id}`,
    correlation: id,
    evolve: evolvePartner,
    decide(partner) {
      if (partner !== undefined) requireMatch(call, etagOf(partner.revision));
      const decision = decideChange(partner, fields, new Date().toISOString());
      return "refusal" in decision ? { refusal: partnerNotFound() } : decision;
    },
  });
  await untilInEffect(call as Call, position);
  const partner = state!;
  return { status: 200, body: partnerView(partner), etag: etagOf(partner.revision), position };
}

const partnerNotFound = (): PublicError =>
  new PublicError("not_found", "There is no such partner.");

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
  route({
    method: "GET",
    path: "/admin/partners/:id",
    scope: "admin",
    summary: "Read a partner with its limits",
    etag: true,
    response: PartnerView,
    errors: ["not_found"],
    handler: read,
  }),
  route({
    method: "PATCH",
    path: "/admin/partners/:id",
    scope: "admin",
    summary: "Change a partner's limits, or suspend it; in force everywhere within a second",
    mutates: true,
    etag: true,
    body: PatchPartner,
    response: PartnerView,
    errors: [
      "invalid_request",
      "malformed_json",
      "not_found",
      "conflict",
      "idempotency_in_progress",
      "idempotency_key_reused",
      "log_unavailable",
    ],
    handler: patch,
  }),
];
