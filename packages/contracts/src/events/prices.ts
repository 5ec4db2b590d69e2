import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Channel, Money, Time } from "./common.ts";

/** Stream `prices-<list>` of the `platform` namespace. */
export const PriceListPublished = defineEvent(
  "PriceListPublished",
  1,
  "Prices per channel and country calling code, per segment.",
  z.strictObject({
    list: z.string().max(64),
    version: z.int().min(1),
    currency: z.string().length(3),
    entries: z.array(
      z.strictObject({ channel: Channel, prefix: z.string().max(8), per_segment: Money }),
    ),
    published_at: Time,
  }),
);
