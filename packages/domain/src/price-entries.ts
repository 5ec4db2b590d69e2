import { categories, channels, type FieldError, parseMoney } from "@heliograph/contracts";
import { z } from "zod";
import { maxPrefixDigits, type PriceList } from "./prices.ts";

/** The longest lists of wholesalers have some thousand prefixes; every process keeps each version that is or may come into force. */
const mostEntries = 5_000;
/** So many entries with every field. */
export const maxPriceListBytes = 1_048_576;
/** What is dearer is a slip. */
const mostMicros = 1_000n * 1_000_000n;

const Entry = z.strictObject({
  channel: z.enum(channels),
  prefix: z.string().regex(/^\d*$/, "must be digits only").max(maxPrefixDigits).meta({
    description: "Of the number, without plus; empty: every other destination.",
    example: "49",
  }),
  category: z.enum(categories).optional().meta({ description: "Left out: any." }),
  min_segments: z.int().min(2).max(100).optional().meta({
    description: "Only for messages of so many segments or more.",
  }),
  per_segment: z
    .string()
    .max(24)
    .refine(
      (text) => (parseMoney(text) ?? -1n) >= 0n,
      "must be a decimal of at least 0 as text, with at most 6 digits behind the point",
    )
    .refine((text) => (parseMoney(text) ?? 0n) <= mostMicros, "must be at most 1000"),
});
/** What a price list says, as operators give it. */
export const PriceEntries = z.array(Entry).min(1).max(mostEntries);

/** Entries that say again what another one says: what a partner is charged by must not depend on the order in which entries were given. Gives the first twenty. */
export function repeatedEntries(entries: PriceList["entries"]): readonly FieldError[] {
  const seen = new Map<string, number>();
  const errors: FieldError[] = [];
  for (const [index, { channel, prefix, category, min_segments }] of entries.entries()) {
    const key = [channel, prefix, category, min_segments].join(" ");
    const first = seen.get(key);
    if (first === undefined) seen.set(key, index);
    else if (errors.length < 20)
      errors.push({
        path: `entries.${index}`,
        code: "duplicate",
        message: `says again what entries.${first} says`,
      });
  }
  return errors;
}
