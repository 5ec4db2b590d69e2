import {
  type Answer,
  type Call,
  changeOnce,
  type Route,
  route,
  TimeInput,
  untilInEffect,
} from "@heliograph/api";
import { type EventData, isId, PublicError, streamOf } from "@heliograph/contracts";
import {
  currencyPattern,
  formatTime,
  maxPriceListBytes,
  parseTime,
  PriceEntries,
  repeatedEntries,
} from "@heliograph/domain";
import type { Decision } from "@heliograph/log";
import { z } from "zod";
import {
  decidePublish,
  evolvePrices,
  type PriceList,
  type PriceRefusal,
} from "../decide-prices.ts";
import { listView, PriceListView } from "./price-view.ts";

const Publish = z
  .strictObject({
    list: z
      .string()
      .regex(/^[a-z][a-z0-9_]{0,39}$/, "must be a letter, then letters, digits and underscores")
      .meta({ example: "wholesale" }),
    version: z.int().min(1).max(1_000_000),
    currency: z
      .string()
      .regex(currencyPattern, "must be an ISO 4217 code")
      .optional()
      .meta({ description: "Of a new list; USD when left out. It chooses the wallet." }),
    effective_from: TimeInput.optional().meta({ description: "Left out: at once." }),
    entries: PriceEntries,
  })
  .meta({ id: "PublishPrices" });

const refusals: Readonly<Record<PriceRefusal, (list: PriceList) => PublicError>> = {
  version_taken: ({ list, version }) =>
    new PublicError("conflict", `Version ${version} of ${list} is published and differs.`),
  version_too_low: ({ list, version }) =>
    new PublicError("conflict", `There is a version above ${version} of ${list}.`),
  other_currency: ({ list }) =>
    new PublicError("conflict", `The currency of ${list} stays as it is: publish another list.`),
};

const needsLive = (call: Call<unknown, unknown>): void => {
  if (call.env !== "live")
    throw new PublicError("insufficient_scope", "Prices are set with a live admin key.");
};

async function publish(call: Call<z.infer<typeof Publish>, unknown>): Promise<Answer> {
  needsLive(call);
  const { list, version, effective_from, entries } = call.body;
  const known = call.context.directory.newestPrices(list);
  const from = effective_from === undefined ? undefined : parseTime(effective_from)!;
  const errors = repeatedEntries(entries);
  if (errors.length > 0)
    throw new PublicError("invalid_request", "Two entries are for the same.", { errors });
  const data: PriceList = {
    list,
    version,
    currency: call.body.currency ?? known?.currency ?? "USD",
    entries,
    ...(from !== undefined && { effective_from: formatTime(from) }),
    published_at: formatTime(Date.now()),
  };
  const decide = (newest: PriceList | undefined): Decision<PublicError> => {
    const decision = decidePublish(newest, data);
    return "refusal" in decision
      ? { refusal: refusals[decision.refusal](data) }
      : { events: decision.events };
  };
  const { state, position } = await changeOnce<PriceList>(call, {
    name: "prices",
    stream: streamOf("prices", list),
    correlation: list,
    log: call.context.platformLog,
    evolve: evolvePrices,
    decide,
  });
  await untilInEffect(call, position);
  return { status: 201, body: listView(state!), position };
}

const Assign = z.strictObject({ list: z.string().max(64) }).meta({ id: "AssignPrices" });
const Assigned = z
  .object({
    partner_id: z.string(),
    list: z.string(),
    currency: z.string().meta({ description: "It chooses the wallet." }),
  })
  .meta({ id: "AssignedPrices" });

async function assign(call: Call<z.infer<typeof Assign>, unknown>): Promise<Answer> {
  needsLive(call);
  const { directory } = call.context;
  const partner_id = call.params["id"]!;
  if (!isId("ptn", partner_id) || directory.partner(partner_id) === undefined)
    throw new PublicError("not_found", "There is no such partner.");
  const { list } = call.body;
  const inForce = directory.prices(list, Date.now());
  if (inForce === undefined)
    throw new PublicError("invalid_request", `No version of ${list} is in force.`, {
      errors: [{ path: "list", code: "not_in_force", message: "has no version in force" }],
    });
  const data: EventData<"PriceListAssigned"> = {
    partner_id,
    list,
    assigned_at: formatTime(Date.now()),
  };
  const { position } = await changeOnce<string>(call, {
    name: "price list",
    stream: streamOf("prices", partner_id),
    correlation: partner_id,
    partner: partner_id,
    log: call.context.platformLog,
    evolve: (known, event) => (event.type === "PriceListAssigned" ? event.data.list : known),
    decide: (known) => ({ events: known === list ? [] : [{ type: "PriceListAssigned", data }] }),
  });
  await untilInEffect(call, position);
  return { status: 200, body: { partner_id, list, currency: inForce.currency }, position };
}

const errors = [
  "invalid_request",
  "malformed_json",
  "conflict",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "log_unavailable",
] as const;

export const publishRoutes: readonly Route[] = [
  route({
    method: "PUT",
    path: "/admin/prices",
    scope: "admin",
    summary: "Publish a version of a price list",
    mutates: true,
    status: 201,
    body: Publish,
    maxBodyBytes: maxPriceListBytes,
    response: PriceListView,
    errors,
    handler: publish,
  }),
  route({
    method: "PUT",
    path: "/admin/partners/:id/price-list",
    scope: "admin",
    summary: "Let a list price what a partner sends from here on",
    mutates: true,
    body: Assign,
    response: Assigned,
    errors: [...errors, "not_found"],
    handler: assign,
  }),
];
