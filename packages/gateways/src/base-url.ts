import { z } from "zod";

/** Where a provider's interface is, when it is elsewhere than at the provider's: a region, a server of one's own, a trial. */
export const BaseUrl = z
  .string()
  .max(2_000)
  .refine(
    (text) => URL.canParse(text) && /^https?:\/\/[^@?#]+$/.test(text),
    "base_url must be an http:// or https:// address without a password or a query",
  );
