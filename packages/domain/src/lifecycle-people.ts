import type { EventData, TypedEvent } from "@heliograph/contracts";

/** What of contacts and conversations the outside sees. Texts of persons stay sealed here: whoever shows or sends the result opens it. */
export const peopleTypes = {
  MessageReceived: "message.received",
  ReceivedFileKept: "message.file_kept",
  ReceivedFileLost: "message.file_lost",
  ContactCreated: "contact.created",
  InboundContactMatched: "contact.matched",
  ContactAbsorbed: "contact.merged",
  ContactReleased: "contact.unmerged",
  ContactErased: "contact.erased",
  ConversationOpened: "conversation.opened",
  ConversationAssigned: "conversation.assigned",
  ConversationUnassigned: "conversation.unassigned",
  ConversationClosed: "conversation.closed",
  ConversationReopened: "conversation.reopened",
  ConversationSnoozed: "conversation.snoozed",
  ConversationOverdue: "conversation.overdue",
} as const;

type PeopleEvent = TypedEvent<keyof typeof peopleTypes>;

export const isPeopleEvent = (event: TypedEvent): event is PeopleEvent =>
  Object.hasOwn(peopleTypes, event.type);

const externalId = ({ source, id }: { readonly source: string; readonly id: string }) => ({
  source,
  id,
});

const received = (data: EventData<"MessageReceived">) => ({
  message_id: data.message_id,
  conversation_id: data.conversation_id,
  contact_id: data.contact_id,
  channel: data.channel,
  from: data.from,
  to: data.to,
  text: data.text ?? null,
  ...(data.subject !== undefined && { subject: data.subject }),
  ...(data.html !== undefined && { html: data.html }),
  media: data.media ?? [],
  ...(data.unverified && { unverified: true }),
  provider: data.provider,
  received_at: data.received_at,
});

const fileOf = (data: EventData<"ReceivedFileKept" | "ReceivedFileLost">) => ({
  message_id: data.message_id,
  contact_id: data.contact_id,
  channel: data.channel,
  attachment_id: data.attachment_id,
});

/** The `data` of the public event. */
export const peopleData = (event: PeopleEvent): Readonly<Record<string, unknown>> =>
  isConversationEvent(event) ? conversationData(event) : contactData(event);

type ConversationEvent = Extract<PeopleEvent, { readonly type: `Conversation${string}` }>;
const isConversationEvent = (event: PeopleEvent): event is ConversationEvent =>
  event.type.startsWith("Conversation");

function contactData({
  type,
  data,
}: Exclude<PeopleEvent, ConversationEvent>): Readonly<Record<string, unknown>> {
  switch (type) {
    case "MessageReceived":
      return received(data);
    case "ReceivedFileKept":
      return { ...fileOf(data), type: data.type, bytes: data.bytes, kept_at: data.kept_at };
    case "ReceivedFileLost":
      return { ...fileOf(data), reason: data.reason, lost_at: data.lost_at };
    case "ContactCreated":
      return {
        contact_id: data.contact_id,
        external_ids: data.external_ids.map(externalId),
        name: data.name,
        ...(data.message_id !== undefined && { message_id: data.message_id }),
      };
    case "InboundContactMatched":
      return {
        contact_id: data.contact_id,
        external_id: externalId(data.external_id),
        message_id: data.message_id,
        conversation_id: data.conversation_id,
      };
    case "ContactAbsorbed":
      return {
        contact_id: data.contact_id,
        merged_id: data.merged_id,
        merge_id: data.merge_id,
        moved: data.moved,
      };
    case "ContactReleased":
      return {
        contact_id: data.contact_id,
        unmerged_id: data.released_id,
        merge_id: data.merge_id,
      };
    case "ContactErased":
      return {
        contact_id: data.contact_id,
        erasure_id: data.erasure_id,
        key_destroyed_at: data.key_destroyed_at,
      };
  }
}

function conversationData({ type, data }: ConversationEvent): Readonly<Record<string, unknown>> {
  switch (type) {
    case "ConversationOpened":
      return {
        ...conversation(data),
        channel: data.channel,
        inbox: data.inbox,
        address: externalId(data.address),
        message_id: data.message_id ?? null,
        opened_at: data.opened_at,
      };
    case "ConversationAssigned":
      return {
        ...conversation(data),
        agent: data.agent,
        ...(data.previous_agent && { previous_agent: data.previous_agent }),
        ...(data.team !== undefined && { team_id: data.team }),
        reason: data.reason,
        assigned_at: data.assigned_at,
      };
    case "ConversationUnassigned":
      return {
        ...conversation(data),
        ...(data.previous_agent && { previous_agent: data.previous_agent }),
        reason: data.reason,
        unassigned_at: data.unassigned_at,
      };
    case "ConversationClosed":
      return { ...conversation(data), reason: data.reason, closed_at: data.closed_at };
    case "ConversationReopened":
      return {
        ...conversation(data),
        reason: data.reason,
        message_id: data.message_id ?? null,
        reopened_at: data.reopened_at,
      };
    case "ConversationSnoozed":
      return { ...conversation(data), until: data.until, snoozed_at: data.snoozed_at };
    case "ConversationOverdue":
      return {
        ...conversation(data),
        target: data.target,
        due_at: data.due_at,
        ...(data.agent && { agent: data.agent }),
      };
  }
}

const conversation = (data: { readonly conversation_id: string; readonly contact_id: string }) => ({
  conversation_id: data.conversation_id,
  contact_id: data.contact_id,
});

const zeros = "00000000000000000000000000";
const sample = { conversation_id: `cnv_${zeros}`, contact_id: `cnt_${zeros}` };
const address = { source: "sms", id: "+15550100000" };
const file = {
  message_id: `msg_${zeros}`,
  contact_id: sample.contact_id,
  channel: "whatsapp",
  attachment_id: `att_${zeros}`,
};
const agent = { id: `agt_${zeros}`, name: "Ada" };
const merge = { contact_id: sample.contact_id, merge_id: `mrg_${zeros}` };
const by = "asked for by ada@example.com";

/** A made-up event of each type, as a test of an endpoint shows it. */
export const peopleSamples = {
  "message.received": (at: string) => ({
    message_id: `msg_${zeros}`,
    ...sample,
    channel: "sms",
    from: address.id,
    to: "+15550109999",
    text: "Where is my order?",
    media: [],
    provider: { gateway: "sim-sms", name: "sim-sms", message_id: "sample-1" },
    received_at: at,
  }),
  "message.file_kept": (at: string) => ({
    ...file,
    type: "image/jpeg",
    bytes: 204_800,
    kept_at: at,
  }),
  "message.file_lost": (at: string) => ({ ...file, reason: "too_large", lost_at: at }),
  "contact.created": () => ({
    contact_id: sample.contact_id,
    external_ids: [address],
    name: "Ada",
  }),
  "contact.matched": () => ({
    contact_id: sample.contact_id,
    external_id: address,
    message_id: `msg_${zeros}`,
    conversation_id: sample.conversation_id,
  }),
  "contact.merged": () => ({
    ...merge,
    merged_id: `cnt_${zeros.slice(1)}1`,
    moved: { external_ids: 1, conversations: 1, messages: 1 },
  }),
  "contact.unmerged": () => ({ ...merge, unmerged_id: `cnt_${zeros.slice(1)}1` }),
  "contact.erased": (at: string) => ({
    contact_id: sample.contact_id,
    erasure_id: `ers_${zeros}`,
    key_destroyed_at: at,
  }),
  "conversation.opened": (at: string) => ({
    ...sample,
    channel: "sms",
    inbox: "+15550109999",
    address,
    message_id: `msg_${zeros}`,
    opened_at: at,
  }),
  "conversation.assigned": (at: string) => ({
    ...sample,
    agent,
    reason: "the least busy of 2 agents",
    assigned_at: at,
  }),
  "conversation.unassigned": (at: string) => ({
    ...sample,
    previous_agent: agent,
    reason: by,
    unassigned_at: at,
  }),
  "conversation.closed": (at: string) => ({ ...sample, reason: by, closed_at: at }),
  "conversation.reopened": (at: string) => ({
    ...sample,
    reason: "the person wrote again",
    message_id: `msg_${zeros}`,
    reopened_at: at,
  }),
  "conversation.snoozed": (at: string) => ({ ...sample, until: at, snoozed_at: at }),
  "conversation.overdue": (at: string) => ({
    ...sample,
    target: "first_response",
    due_at: at,
    agent,
  }),
} as const;
