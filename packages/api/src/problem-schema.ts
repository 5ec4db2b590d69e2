import { errorCatalogue } from "@heliograph/contracts";
import { z } from "zod";

/** What `problemOf` makes: every error of the API. */
export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    code: z.enum(Object.keys(errorCatalogue) as [string, ...string[]]),
    request_id: z.string(),
    errors: z
      .array(z.object({ path: z.string(), code: z.string(), message: z.string() }))
      .optional(),
    doc_url: z.string(),
    original: z.string().optional(),
    required_scope: z.string().optional(),
    message_status: z.string().optional(),
    id: z.string().optional(),
    channels: z.array(z.string()).optional(),
    cost: z.string().optional(),
    currency: z.string().optional(),
    conversation_id: z.string().optional(),
    contact_id: z.string().optional(),
    merged_into: z.string().optional(),
    moved_to: z.string().optional(),
    etag: z.string().optional(),
    transaction_id: z.string().optional(),
    suppression_id: z.string().optional(),
    country_prefix: z.string().optional(),
    left_seconds: z.int().optional(),
    policy: z.enum(["requests", "messages", "day", "recipient"]).optional(),
    retry_after_seconds: z.int().optional(),
  })
  .meta({
    id: "Problem",
    description:
      "RFC 9457. `code` says which error of the catalogue it is; which of the optional fields there are depends on it.",
  });
