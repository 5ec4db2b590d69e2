import { ListQuery, TimeInput } from "@heliograph/api";
import { channels, environments } from "@heliograph/contracts";
import { Time, conversationStatuses } from "@heliograph/domain";
import { z } from "zod";

export const NoteBody = z
  .strictObject({ text: z.string().min(1).max(10_000) })
  .meta({ id: "WriteNote", example: { text: "Asked the carrier; calls back at four." } });
export type NoteBody = z.infer<typeof NoteBody>;

export const SnoozeBody = z
  .strictObject({
    until: TimeInput.meta({
      description:
        "When it is open again, unless the person writes first: within the coming 366 days.",
      example: "2027-06-01T09:00:00Z",
    }),
  })
  .meta({ id: "SnoozeConversation" });
export type SnoozeBody = z.infer<typeof SnoozeBody>;

export const ReadBody = z
  .strictObject({
    up_to: z.string().min(1).max(64).meta({
      description: "The last message that was read; the mark never moves back.",
      example: "msg_01HNQX2P8Y9R3T4V5W6Z7A8B9C",
    }),
  })
  .meta({ id: "ReadConversation" });
export type ReadBody = z.infer<typeof ReadBody>;

export const ConversationsQuery = ListQuery.extend({
  status: z.enum(conversationStatuses).optional(),
  assignee: z
    .string()
    .max(64)
    .regex(/^(?:none|agt_\w{1,60})$/, "must be an agent's id, or none")
    .optional()
    .meta({ description: "An agent's id, or `none` for those that nobody has." }),
  team: z.string().max(64).optional().meta({ description: "The team that has it." }),
  contact: z
    .string()
    .max(64)
    .optional()
    .meta({ description: "A contact; those that are part of it by a merge count too." }),
  channel: z.enum(channels).optional(),
  unread: z
    .enum(["true", "false"])
    .optional()
    .meta({ description: "Whether something of it is unread." }),
});
export type ConversationsQuery = z.infer<typeof ConversationsQuery>;

export const ConversationTimeline = z
  .object({
    conversation_id: z.string().meta({ description: "The conversation's id." }),
    environment: z.enum(environments),
    data: z.array(
      z.object({
        position: z.string(),
        id: z.string().meta({ description: "The event's id." }),
        type: z.string().meta({ description: "The event's type.", example: "ConversationOpened" }),
        timestamp: Time,
        actor: z.string(),
        data: z
          .record(z.string(), z.unknown())
          .meta({ description: "The event's own fields, its texts opened." }),
        reason: z.string().optional(),
      }),
    ),
    next_cursor: z
      .string()
      .nullable()
      .meta({ description: "For `after`; null where no more has happened." }),
  })
  .meta({ id: "ConversationTimeline" });
