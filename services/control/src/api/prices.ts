import { type Answer, type Call, hasScope, type Route, route } from "@heliograph/api";
import { channelModule } from "@heliograph/channels";
import { categories, channels, PublicError } from "@heliograph/contracts";
import { defaultPriceList, priceFor, pricesOf } from "@heliograph/domain";
import { z } from "zod";
import type { PriceList } from "../decide-prices.ts";
import { listPriceRoutes } from "./list-prices.ts";
import { listView, PriceListView } from "./price-view.ts";
import { publishRoutes } from "./publish-prices.ts";

const noPrice = (detail: string): PublicError => new PublicError("no_price", detail);

/** As the next send of the caller is priced. */
function pricesNow(call: Call<unknown, unknown>): PriceList {
  const prices = pricesOf(call.context.directory, call.partner, call.now());
  if (prices === undefined) throw noPrice(`You have no prices in ${call.partner.currency}.`);
  return prices;
}

const show = (call: Call<undefined, undefined>): Answer => ({
  status: 200,
  body: listView(pricesNow(call)),
});

const PreviewQuery = z.strictObject({
  channel: z.enum(channels),
  to: z.string().min(1).max(512).meta({ example: "+15551234567" }),
  segments: z.coerce.number().int().min(1).max(100).default(1),
  category: z.enum(categories).default("transactional"),
  list: z.string().max(64).optional().meta({
    description: "For operators: by this list, as it is in force now, in place of the caller's.",
  }),
});
const Preview = z
  .object({
    channel: z.enum(channels),
    to: z.string(),
    segments: z.int(),
    category: z.enum(categories),
    country: z.string(),
    cost: z.string(),
    per_segment: z.string(),
    currency: z.string(),
    list: z.string(),
    version: z.int(),
    prefix: z.string().meta({ description: "Of the entry that counts." }),
  })
  .meta({ id: "PricePreview" });

/** What another one pays is told to operators alone. */
function pricesOfList(call: Call<unknown, unknown>, list: string): PriceList {
  if (!hasScope(call.key.scopes, "admin"))
    throw new PublicError("insufficient_scope", "Operators alone may ask for any list.", {
      extra: { required_scope: "admin" },
    });
  const prices = call.context.directory.prices(list, Date.now());
  if (prices === undefined)
    throw new PublicError("invalid_request", `No version of ${list} is in force.`, {
      errors: [{ path: "list", code: "not_in_force", message: "has no version in force" }],
    });
  return prices;
}

/** Asks what a send would be held for, by the very function that prices it. */
function preview(call: Call<undefined, z.infer<typeof PreviewQuery>>): Answer {
  const { channel, segments, category } = call.query;
  const found = channelModule(channel).recipient(call.query.to);
  if (found.kind === "fault") {
    const { code, message } = found;
    throw new PublicError("invalid_request", `to: ${message}`, {
      errors: [{ path: "to", code, message }],
    });
  }
  const prices =
    call.query.list === undefined ? pricesNow(call) : pricesOfList(call, call.query.list);
  const { to, digits, country } = found.value;
  const price = priceFor(prices, { channel, digits, country, segments, category });
  if (price === undefined)
    throw noPrice(`${call.query.list ?? "Your price list"} has no price for this on ${channel}.`);
  const { list, version, per_segment } = price.detail;
  return {
    status: 200,
    body: {
      channel,
      to,
      segments,
      category,
      country,
      cost: price.cost,
      per_segment,
      currency: prices.currency,
      list,
      version,
      prefix: price.entry.prefix,
    },
  };
}

/** What a partner without a list of its own pays: for whoever has no key yet. */
const showStandard = ({ context }: Call): Answer => ({
  status: 200,
  body: listView(context.directory.prices(undefined, Date.now()) ?? defaultPriceList),
});

export const priceRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/prices/standard",
    scope: "public",
    summary: "What messages cost a partner who has no list of its own",
    response: PriceListView,
    errors: [],
    handler: showStandard,
  }),
  route({
    method: "GET",
    path: "/prices",
    scope: "wallet:read",
    summary: "What messages cost",
    response: PriceListView,
    errors: ["no_price"],
    handler: show,
  }),
  route({
    method: "GET",
    path: "/prices/preview",
    scope: "wallet:read",
    summary: "What one message would cost",
    query: PreviewQuery,
    response: Preview,
    errors: ["invalid_request", "no_price", "insufficient_scope"],
    handler: preview,
  }),
  ...listPriceRoutes,
  ...publishRoutes,
];
