import { mailReferences } from "@heliograph/channels";
import { z } from "zod";
import type { InboundReading, InboundRequest } from "../descriptor.ts";

/** What the simulated provider posts: `POST /sandbox/inbound` has checked the addresses and given it an id. */
const Simulated = z.object({
  provider_message_id: z.string().min(1),
  from: z.string().min(1),
  to: z.string().min(1),
  text: z.string().optional(),
  html: z.string().optional(),
  subject: z.string().optional(),
  media: z
    .array(
      z.object({
        url: z.string(),
        type: z.string().optional(),
        name: z.string().optional(),
        bytes: z.number().optional(),
      }),
    )
    .optional(),
  profile_name: z.string().optional(),
  kind: z.enum(["message", "reaction", "edit"]).default("message"),
  about: z.string().optional(),
  automatic: z.boolean().optional(),
  unverified: z.boolean().optional(),
  references: z.string().optional(),
  in_reply_to: z.string().optional(),
  at: z.string().optional(),
});

/** Throws for bytes that the simulated provider would not post. */
export function simulatedInbound({ raw }: InboundRequest): InboundReading {
  const {
    provider_message_id,
    profile_name,
    references: header,
    in_reply_to,
    ...said
  } = Simulated.parse(JSON.parse(raw.toString("utf8")));
  const references = mailReferences({ references: header, inReplyTo: in_reply_to });
  return {
    ...said,
    providerMessageId: provider_message_id,
    ...(references.length > 0 && { references }),
    ...(profile_name !== undefined && { profileName: profile_name }),
  };
}
