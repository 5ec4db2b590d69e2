import type { EventData, TypedEvent } from "@heliograph/contracts";
import type { Conversation, ConversationMessage } from "./conversation-schema.ts";
import { joinStatus, type MessageStatus } from "./status.ts";

/** What changes a conversation as it is shown. A reaction or an edit changes nothing of it, nor does a target that passed. */
export const conversationTypes = [
  "ConversationOpened",
  "MessageReceived",
  "ConversationReopened",
  "ConversationClosed",
  "ConversationSnoozed",
  "ConversationAssigned",
  "ConversationQueued",
  "ConversationUnassigned",
  "ConversationReplied",
  "ConversationNoted",
  "ConversationRead",
] as const;
export type ConversationEvent = TypedEvent<(typeof conversationTypes)[number]>;

/** Messages since the last one that was read, in the order of the log, so that a read mark can be placed among them. Beyond this many they are only counted. */
const maxUnreadKept = 200;

/** A conversation as its thread and its replies tell it. Texts of the person are as in the events: sealed. */
export type ConversationState = Omit<Conversation, "contact" | "unread" | "address"> & {
  readonly contact_id: string;
  readonly address: { readonly source: string; readonly id: string };
  readonly since_read: readonly { readonly id: string; readonly inbound: boolean }[];
  /** Of the person, older than those. */
  readonly unread_before: number;
};

const notDue = { first_response_due_at: null, resolution_due_at: null } as const;

const begin = (data: EventData<"ConversationOpened">): ConversationState => ({
  id: data.conversation_id,
  status: "open",
  contact_id: data.contact_id,
  channel: data.channel,
  address: { source: data.address.source, id: data.address.id },
  inbox: data.inbox,
  assignee: null,
  team: null,
  since_read: [],
  unread_before: 0,
  last_message: null,
  ...notDue,
  created_at: data.opened_at,
  updated_at: data.opened_at,
  closed_at: null,
});

/** The next state; what comes before `ConversationOpened` is passed over. */
export function evolveConversation(
  state: ConversationState | undefined,
  event: ConversationEvent,
): ConversationState | undefined {
  if (event.type === "ConversationOpened") return state ?? begin(event.data);
  return state && { ...state, contact_id: event.data.contact_id, ...changes(state, event) };
}

function changes(
  state: ConversationState,
  { type, data }: Exclude<ConversationEvent, { readonly type: "ConversationOpened" }>,
): Partial<ConversationState> {
  switch (type) {
    case "MessageReceived":
      return {
        ...noted(state, data.message_id, true),
        last_message: {
          id: data.message_id,
          direction: "inbound",
          text: data.text ?? null,
          at: data.received_at,
        },
        updated_at: data.received_at,
      };
    case "ConversationReopened":
      return { status: "open", closed_at: null, updated_at: data.reopened_at };
    case "ConversationClosed":
      return {
        status: "closed",
        ...notDue,
        closed_at: data.closed_at,
        updated_at: data.closed_at,
      };
    case "ConversationSnoozed":
      return { status: "snoozed", updated_at: data.snoozed_at };
    case "ConversationAssigned":
      return {
        assignee: data.agent,
        team: data.team ?? state.team,
        ...dueOf(state, data),
        updated_at: data.assigned_at,
      };
    case "ConversationQueued":
      return {
        assignee: null,
        team: data.team ?? state.team,
        ...dueOf(state, data),
        updated_at: data.queued_at,
      };
    case "ConversationUnassigned":
      return { assignee: null, team: data.team ?? null, updated_at: data.unassigned_at };
    case "ConversationReplied":
      return {
        ...noted(state, data.message_id, false),
        // Its own stream says what it says.
        last_message: {
          id: data.message_id,
          direction: "outbound",
          text: null,
          at: data.replied_at,
        },
        ...(data.answers && { first_response_due_at: null }),
        updated_at: data.replied_at,
      };
    case "ConversationNoted":
      return { ...noted(state, data.note_id, false), updated_at: data.noted_at };
    case "ConversationRead":
      return readUpTo(state, data.up_to);
    default:
      return type satisfies never;
  }
}

/** Due times that routing tells with its decision; what it leaves out stays. */
const dueOf = (
  state: ConversationState,
  {
    first_response_due_at = state.first_response_due_at,
    resolution_due_at = state.resolution_due_at,
  }: EventData<"ConversationAssigned"> | EventData<"ConversationQueued">,
) => ({ first_response_due_at, resolution_due_at });

function noted(
  { since_read, unread_before }: ConversationState,
  id: string,
  inbound: boolean,
): Pick<ConversationState, "since_read" | "unread_before"> {
  const all = [...since_read, { id, inbound }];
  const dropped = all.length > maxUnreadKept ? all[0]! : undefined;
  return {
    since_read: dropped === undefined ? all : all.slice(1),
    unread_before: unread_before + (dropped?.inbound === true ? 1 : 0),
  };
}

/** A mark never moves back: one that stands before it, or names what is not here, changes nothing. */
function readUpTo(state: ConversationState, upTo: string): Partial<ConversationState> {
  const at = state.since_read.findIndex(({ id }) => id === upTo);
  if (at === -1) return {};
  return { since_read: state.since_read.slice(at + 1), unread_before: 0 };
}

export const unreadOf = ({ since_read, unread_before }: ConversationState): number =>
  unread_before + since_read.filter(({ inbound }) => inbound).length;

/** As routes show it, texts still sealed. `contact` is the one that holds the conversation now. */
export function conversationView(
  state: ConversationState,
  contact: Conversation["contact"],
): Conversation {
  const { contact_id: _, since_read: __, unread_before: ___, ...shown } = state;
  return {
    id: shown.id,
    status: shown.status,
    contact,
    channel: shown.channel,
    address: shown.address,
    inbox: shown.inbox,
    assignee: shown.assignee,
    team: shown.team,
    unread: unreadOf(state),
    last_message: shown.last_message,
    first_response_due_at: shown.first_response_due_at,
    resolution_due_at: shown.resolution_due_at,
    created_at: shown.created_at,
    updated_at: shown.updated_at,
    closed_at: shown.closed_at,
  };
}

export const inboundMessage = (data: EventData<"MessageReceived">): ConversationMessage => ({
  id: data.message_id,
  conversation_id: data.conversation_id,
  direction: "inbound",
  channel: data.channel,
  text: data.text ?? null,
  ...(data.html !== undefined && { html: data.html }),
  ...(data.subject !== undefined && { subject: data.subject }),
  media: data.media ?? [],
  status: "received",
  ...(data.unverified && { unverified: true }),
  at: data.received_at,
});

export const noteMessage = (
  data: EventData<"ConversationNoted">,
  channel: ConversationMessage["channel"],
): ConversationMessage => ({
  id: data.note_id,
  conversation_id: data.conversation_id,
  direction: "note",
  channel,
  text: data.text,
  media: [],
  status: "noted",
  ...agentOf(data.by),
  at: data.noted_at,
});

/** The address of an attachment is its id here, which may be sealed: a link to it is made when it is shown. */
const shownMedia = ({
  url,
  attachment_id,
  type,
  name,
  bytes,
}: NonNullable<EventData<"MessageRequested">["content"]["media"]>[number]) => ({
  url: attachment_id ?? url ?? "",
  ...(attachment_id !== undefined && { attachment_id }),
  ...(type !== undefined && { type }),
  ...(name !== undefined && { name }),
  ...(bytes !== undefined && { bytes }),
});

const outboundMessage = ({
  conversation_id,
  ...data
}: EventData<"MessageRequested">): ConversationMessage => ({
  id: data.message_id,
  ...(conversation_id !== undefined && { conversation_id }),
  direction: "outbound",
  channel: data.channel,
  text: data.content.text ?? null,
  ...(data.content.html !== undefined && { html: data.content.html }),
  ...(data.content.subject !== undefined && { subject: data.content.subject }),
  media: (data.content.media ?? []).map(shownMedia),
  status: data.send_at === undefined ? "queued" : "scheduled",
  at: data.created_at,
});

/** Only an agent is shown as one: a key or a service has no name. */
export const agentOf = (by: { readonly id: string; readonly name?: string | undefined }) =>
  by.id.startsWith("agt_") ? { agent: { id: by.id, name: by.name ?? "" } } : undefined;

/** What becomes of a reply after it was accepted, as far as it is shown. */
export const replyStatusTypes = [
  "MessageQueued",
  "MessageSent",
  "MessageDelivered",
  "MessageRead",
  "MessageBounced",
  "MessageFailed",
  "MessageRejected",
  "MessageExpired",
  "MessageCanceled",
  "MessageCorrected",
] as const;
type ReplyEvent = TypedEvent<(typeof replyStatusTypes)[number]>;

const statusAfter: Readonly<
  Record<Exclude<ReplyEvent["type"], "MessageCorrected">, MessageStatus>
> = {
  MessageQueued: "queued",
  MessageSent: "sent",
  MessageDelivered: "delivered",
  MessageRead: "read",
  MessageBounced: "bounced",
  MessageFailed: "failed",
  MessageRejected: "rejected",
  MessageExpired: "expired",
  MessageCanceled: "canceled",
};

function evolveReply(message: ConversationMessage, event: ReplyEvent): ConversationMessage {
  const { status: before, error: _, ...rest } = message;
  if (before === "received" || before === "noted") return message;
  const status =
    event.type === "MessageCorrected"
      ? event.data.status
      : joinStatus(before, statusAfter[event.type]);
  const error = "error" in event.data ? event.data.error : message.error;
  const shows = ["bounced", "failed", "rejected", "expired"].includes(status);
  return { ...rest, status, ...(shows && error !== undefined && { error }) };
}

const isReplyEvent = (event: TypedEvent): event is ReplyEvent =>
  (replyStatusTypes as readonly string[]).includes(event.type);

/** A reply as its own stream tells it now; undefined for a stream that is not there. Who wrote it, its thread tells. */
export function replyOf(
  { conversation_id, agent }: Pick<ConversationMessage, "conversation_id" | "agent">,
  events: readonly TypedEvent[],
): ConversationMessage | undefined {
  const [first, ...others] = events;
  if (first?.type !== "MessageRequested") return undefined;
  let message: ConversationMessage = {
    ...outboundMessage({
      ...first.data,
      ...(conversation_id !== undefined && { conversation_id }),
    }),
    ...(agent !== undefined && { agent }),
  };
  for (const event of others) if (isReplyEvent(event)) message = evolveReply(message, event);
  return message;
}
