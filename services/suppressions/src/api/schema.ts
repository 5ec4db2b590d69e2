import { ListQuery } from "@heliograph/api";
import { channels } from "@heliograph/contracts";
import { z } from "zod";

const Channel = z.enum(channels);
const AppliesTo = z.enum(["all", "marketing"]);
const reasons = ["keyword", "complaint", "bounce", "manual", "unsubscribe"] as const;

export const CreateSuppression = z
  .strictObject({
    channel: Channel,
    to: z.string().min(1).max(512),
    applies_to: AppliesTo.optional().meta({
      description: "`all` (default) stops every message, `marketing` those of that category.",
    }),
    note: z.string().min(1).max(2_000).optional().meta({ description: "Kept as the evidence." }),
  })
  .meta({
    id: "CreateSuppression",
    example: { channel: "sms", to: "+15551234567", note: "asked for by phone" },
  });
export type CreateSuppression = z.infer<typeof CreateSuppression>;

export const SuppressionsQuery = ListQuery.extend({
  to: z.string().min(1).max(512).optional().meta({
    description: "An address; without `channel` on every channel that it could be of.",
  }),
  channel: Channel.optional(),
  active: z.enum(["true", "false"]).optional().meta({
    description: "true: those that stop something now; false: those that are over.",
  }),
});
export type SuppressionsQuery = z.infer<typeof SuppressionsQuery>;

export const SuppressionView = z
  .object({
    id: z.string(),
    channel: Channel,
    to: z.string().meta({ description: "`[erased]` once the contact was erased." }),
    applies_to: AppliesTo,
    reason: z.enum(reasons),
    evidence: z.object({ message_id: z.string().optional(), text: z.string().optional() }),
    started_at: z.string(),
    ended_at: z.string().nullable(),
  })
  .meta({ id: "Suppression" });
