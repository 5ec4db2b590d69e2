import { isCountry } from "@heliograph/channels";
import { z } from "zod";

export const Countries = z
  .array(z.string().refine(isCountry, "is no country code such as US (ISO 3166-1 alpha-2)"))
  .min(1)
  .max(250)
  .refine((list) => new Set(list).size === list.length, "names one twice");
