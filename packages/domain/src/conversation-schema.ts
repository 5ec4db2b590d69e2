import { channels, lostFileReasons } from "@heliograph/contracts";
import { z } from "zod";
import { Failure, Time } from "./message-schema.ts";
import { statuses } from "./status.ts";

const Agent = z
  .object({ id: z.string(), name: z.string() })
  .meta({ id: "ConversationAgent", description: "`agt_…` and the name." });
export const directions = ["inbound", "outbound", "note"] as const;
export const conversationStatuses = ["open", "snoozed", "closed"] as const;
const personal = "`[erased]` after the contact's erasure.";

/** A conversation as every route shows it: `/conversations` and `/mobile/sync` alike. */
export const Conversation = z
  .object({
    id: z.string().meta({ description: "`cnv_…`" }),
    status: z.enum(conversationStatuses),
    contact: z.object({
      id: z.string(),
      name: z.string().nullable().meta({ description: personal }),
    }),
    channel: z.enum(channels),
    address: z
      .object({ source: z.string(), id: z.string().meta({ description: personal }) })
      .meta({ description: "Whom a reply goes to." }),
    inbox: z.string().meta({ description: "Ours: the address that was written to." }),
    assignee: Agent.nullable(),
    team: z.string().nullable(),
    unread: z.int().meta({ description: "Messages of the person that nobody has read." }),
    last_message: z
      .object({
        id: z.string(),
        direction: z.enum(["inbound", "outbound"]),
        text: z.string().nullable(),
        at: Time,
      })
      .nullable(),
    first_response_due_at: Time.nullable().meta({
      description: "By when an agent is to answer, by the team's target; null once one did.",
    }),
    resolution_due_at: Time.nullable().meta({
      description: "By when it is to be closed, by the team's target.",
    }),
    created_at: Time,
    updated_at: Time,
    closed_at: Time.nullable(),
  })
  .meta({ id: "Conversation" });
export type Conversation = z.infer<typeof Conversation>;

/** A message of a conversation, of either direction, or a note that the person does not see. */
export const ConversationMessage = z
  .object({
    id: z.string().meta({ description: "`msg_…`; of a note `not_…`." }),
    conversation_id: z
      .string()
      .optional()
      .meta({ description: "Absent of a message that was sent outside of a conversation." }),
    direction: z.enum(directions),
    channel: z.enum(channels),
    text: z.string().nullable(),
    html: z.string().optional(),
    subject: z.string().optional(),
    media: z.array(
      z.object({
        url: z.string().meta({
          description: "Of an attachment: opens it without a key, for an hour.",
        }),
        attachment_id: z.string().optional().meta({
          description: "Where it is kept here: `GET /attachments/{id}` gives a new link.",
        }),
        type: z.string().optional(),
        name: z.string().optional(),
        bytes: z.int().optional(),
        fetching: z.literal(true).optional().meta({
          description:
            "It is being fetched from its provider; until it is there, its link is 409 `attachment_pending`.",
        }),
        not_kept: z.enum(lostFileReasons).optional().meta({
          description:
            "Why it is not kept: then there is nothing behind its link. `gone` from its provider; `too_large`; `too_many` at once; `no_room` in the quota; `refused` by its provider, or its provider `unreachable`, for a day; `no_gateway` that could fetch it; `failed` to be stored; `erased` with the person before it was there.",
        }),
      }),
    ),
    status: z.enum(["received", "noted", ...statuses]).meta({
      description:
        "Of an outbound message as it is now; `received` and `noted` of what was not sent.",
    }),
    unverified: z.literal(true).optional().meta({
      description:
        "Of an e-mail: nothing but its header `From` says who wrote it, which anybody can forge. No keyword in it is acted on.",
    }),
    agent: Agent.optional(),
    at: Time,
    error: Failure.optional(),
  })
  .meta({ id: "ConversationMessage" });
export type ConversationMessage = z.infer<typeof ConversationMessage>;
