import { categories, channels } from "@heliograph/contracts";
import { z } from "zod";
import type { PriceList } from "../decide-prices.ts";

const Time = z
  .string()
  .meta({ description: "RFC 3339, UTC.", example: "2026-01-01T00:00:00.000Z" });

export const PriceListView = z
  .object({
    list: z.string(),
    version: z.int(),
    currency: z.string(),
    entries: z.array(
      z.object({
        channel: z.enum(channels),
        prefix: z.string(),
        category: z.enum(categories).optional(),
        min_segments: z.int().optional(),
        per_segment: z.string(),
      }),
    ),
    effective_from: Time.optional(),
    published_at: Time,
  })
  .meta({
    id: "PriceList",
    description:
      "A message costs the price of the channel's entry with the longest prefix of its number, times its segments. Of entries with one prefix that for its category counts, then that for the most segments.",
  });

export const listView = (list: PriceList): z.infer<typeof PriceListView> => {
  const { version, currency, entries, effective_from, published_at, list: name } = list;
  return {
    list: name,
    version,
    currency,
    entries,
    ...(effective_from !== undefined && { effective_from }),
    published_at,
  };
};
