import { type Answer, type Call, type Route, route } from "@heliograph/api";
import { channels, PublicError } from "@heliograph/contracts";
import { pricesOf } from "@heliograph/domain";
import { z } from "zod";

const PriceList = z
  .object({
    list: z.string(),
    version: z.int(),
    currency: z.string(),
    entries: z.array(
      z.object({
        channel: z.enum(channels),
        prefix: z.string(),
        per_segment: z.string(),
      }),
    ),
    published_at: z
      .string()
      .meta({ description: "RFC 3339, UTC.", example: "2026-01-01T00:00:00.000Z" }),
  })
  .meta({
    id: "PriceList",
    description:
      "A message costs the price of the channel's entry with the longest prefix of its number, times its segments.",
  });

function show(call: Call<undefined, undefined>): Answer {
  const prices = pricesOf(call.context.directory, call.partner, Date.now());
  if (prices === undefined) throw new PublicError("not_found", "You have no prices yet.");
  const { list, version, currency, entries, published_at } = prices;
  return { status: 200, body: { list, version, currency, entries, published_at } };
}

export const priceRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/prices",
    scope: "wallet:read",
    summary: "What messages cost",
    response: PriceList,
    errors: ["not_found"],
    handler: show,
  }),
];
