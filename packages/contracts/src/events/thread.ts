import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Channel, ExternalId, Id, Sealed, Time } from "./common.ts";
import { InboundContent } from "./inbound.ts";

/** Stream `thread-<name>`: one for each (partner, inbox, channel, address). At most one of its conversations is open. */
const Conversation = { conversation_id: Id, contact_id: Id };
/** Who did it: an agent, a key, or a service. */
const By = z.strictObject({ id: z.string().max(64), name: z.string().max(255).optional() });
const Reason = z.string().max(500);

export const ConversationOpened = defineEvent(
  "ConversationOpened",
  1,
  "A conversation began.",
  z.strictObject({
    ...Conversation,
    /** How many conversations this thread had before. */
    number: z.int().min(0),
    channel: Channel,
    inbox: z.string().max(320),
    address: ExternalId,
    gateway_id: Id.optional(),
    /** The pool of senders that the inbox is one of. */
    pool_id: Id.optional(),
    message_id: Id.optional(),
    opened_at: Time,
  }),
);

export const InboundContactMatched = defineEvent(
  "InboundContactMatched",
  1,
  "The sender of an inbound message is a contact that was known.",
  z.strictObject({ ...Conversation, external_id: ExternalId, message_id: Id }),
);

export const MessageReceived = defineEvent(
  "MessageReceived",
  1,
  "A message came from a person.",
  z.strictObject({
    ...Conversation,
    message_id: Id,
    inbound_id: Id,
    channel: Channel,
    ...InboundContent,
    provider: z.strictObject({
      gateway: z.string().max(64),
      name: z.string().max(64),
      message_id: z.string().max(512),
    }),
    automatic: z.boolean().optional(),
    received_at: Time,
  }),
);

/** A reaction or an edit: kept with the message it is about; it opens nothing and counts as nothing. */
export const MessageReacted = defineEvent(
  "MessageReacted",
  1,
  "A person reacted to a message, or edited one.",
  z.strictObject({
    ...Conversation,
    message_id: Id,
    inbound_id: Id,
    kind: z.enum(["reaction", "edit"]),
    about: z.string().max(512).optional(),
    text: Sealed(100_000).optional(),
    received_at: Time,
  }),
);

export const ConversationReopened = defineEvent(
  "ConversationReopened",
  1,
  "A closed or snoozed conversation is open again.",
  z.strictObject({
    ...Conversation,
    reason: Reason,
    by: By.optional(),
    message_id: Id.optional(),
    reopened_at: Time,
  }),
);

export const ConversationClosed = defineEvent(
  "ConversationClosed",
  1,
  "A conversation was closed.",
  z.strictObject({ ...Conversation, by: By, reason: Reason, closed_at: Time }),
);

export const ConversationSnoozed = defineEvent(
  "ConversationSnoozed",
  1,
  "A conversation rests until a time, or until somebody writes.",
  z.strictObject({ ...Conversation, by: By, until: Time, snoozed_at: Time }),
);

const Considered = z
  .array(z.strictObject({ agent: Id, verdict: z.string().max(200) }))
  .max(200)
  .optional();

/** What routing tells with its decision. A due time of null: there is no such target, or it is met; left out: it stays as it was. */
const Decided = {
  considered: Considered,
  /** The revision of the team that was decided on: its members, hours and targets then. */
  team_revision: z.int().min(0).optional(),
  first_response_due_at: Time.nullable().optional(),
  resolution_due_at: Time.nullable().optional(),
};

/** Routing is asked for: by whoever called, or because a conversation opened. */
export const AssignmentRequested = defineEvent(
  "AssignmentRequested",
  1,
  "Routing is to find an agent.",
  z.strictObject({ ...Conversation, team: Id.optional(), by: By, requested_at: Time }),
);

export const ConversationAssigned = defineEvent(
  "ConversationAssigned",
  1,
  "An agent has a conversation.",
  z.strictObject({
    ...Conversation,
    agent: z.strictObject({ id: Id, name: z.string().max(255) }),
    team: Id.optional(),
    previous_agent: z.strictObject({ id: Id, name: z.string().max(255) }).optional(),
    by: By,
    reason: Reason,
    ...Decided,
    assigned_at: Time,
  }),
);

/** A team has it and no agent, and why. */
export const ConversationQueued = defineEvent(
  "ConversationQueued",
  1,
  "A conversation waits for an agent.",
  z.strictObject({
    ...Conversation,
    team: Id.optional(),
    by: By,
    reason: Reason,
    ...Decided,
    queued_at: Time,
  }),
);

export const ConversationUnassigned = defineEvent(
  "ConversationUnassigned",
  1,
  "An agent no longer has a conversation.",
  z.strictObject({
    ...Conversation,
    previous_agent: z.strictObject({ id: Id, name: z.string().max(255) }).optional(),
    team: Id.optional(),
    by: By,
    reason: Reason,
    unassigned_at: Time,
  }),
);

export const ConversationReplied = defineEvent(
  "ConversationReplied",
  1,
  "A message to the person was accepted; its own stream tells what becomes of it.",
  z.strictObject({
    ...Conversation,
    message_id: Id,
    by: By,
    /** Only an agent's words are an answer: what a machine or a template confirms is none. */
    answers: z.boolean(),
    replied_at: Time,
  }),
);

export const ConversationNoted = defineEvent(
  "ConversationNoted",
  1,
  "Somebody wrote a note that the person does not see.",
  z.strictObject({
    ...Conversation,
    note_id: Id,
    text: Sealed(10_000),
    by: By,
    noted_at: Time,
  }),
);

export const ConversationRead = defineEvent(
  "ConversationRead",
  1,
  "Everything up to a message was read.",
  z.strictObject({ ...Conversation, up_to: Id, by: By, read_at: Time }),
);

export const ConversationOverdue = defineEvent(
  "ConversationOverdue",
  1,
  "A target of a conversation passed its time.",
  z.strictObject({
    ...Conversation,
    target: z.enum(["first_response", "resolution"]),
    due_at: Time,
    agent: z.strictObject({ id: Id, name: z.string().max(255) }).optional(),
  }),
);
