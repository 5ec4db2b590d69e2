import { z } from "zod";
import { defineEvent } from "../define.ts";
import { plainText } from "../plain.ts";
import { Category, Channel, Id, Money, Time } from "./common.ts";

/** Stream `prices-<list>` of the `platform` namespace. */
export const PriceListPublished = defineEvent(
  "PriceListPublished",
  1,
  "Prices per channel and country calling code, per segment.",
  z.strictObject({
    list: plainText(z.string().max(64)),
    version: z.int().min(1),
    currency: plainText(z.string().length(3)),
    entries: z.array(
      z.strictObject({
        channel: Channel,
        prefix: plainText(z.string().max(8)),
        /** Only for messages of that category; left out: all of them. */
        category: Category.optional(),
        /** Only for messages of so many segments or more; left out: from one on. */
        min_segments: z.int().min(2).max(100).optional(),
        per_segment: Money,
      }),
    ),
    /** In force from then on, until a higher version is; left out: at once. */
    effective_from: Time.optional(),
    published_at: Time,
  }),
);

/** Stream `prices-<partner id>` of the `platform` namespace. */
export const PriceListAssigned = defineEvent(
  "PriceListAssigned",
  1,
  "From here on a list prices what the partner sends.",
  z.strictObject({ partner_id: Id, list: plainText(z.string().max(64)), assigned_at: Time }),
);
