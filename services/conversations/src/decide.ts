import { type EventData, PublicError, deterministicId } from "@heliograph/contracts";
import { type ThreadConversation, type ThreadState, newestOf } from "@heliograph/domain";

/** Who does something: an agent, a key, or a service. */
export type By = { readonly id: string; readonly name?: string };

/** An event of a thread without what an append adds. */
export type Proposed = {
  [Type in ThreadType]: { readonly type: Type; readonly data: EventData<Type> };
}[ThreadType];
type ThreadType =
  | "ConversationOpened"
  | "InboundContactMatched"
  | "MessageReceived"
  | "MessageReacted"
  | "ConversationReopened"
  | "ConversationClosed"
  | "ConversationSnoozed"
  | "AssignmentRequested"
  | "ConversationAssigned"
  | "ConversationUnassigned"
  | "ConversationReplied"
  | "ConversationNoted"
  | "ConversationRead";

export type Decided = { readonly events: readonly Proposed[] } | { readonly refusal: PublicError };
export const nothing: Decided = { events: [] };

/** Within it an inbound message continues a conversation that was closed; later it begins another one. */
const reopenWithinMs = 24 * 3_600_000;

/** The id follows from the thread and the number, so two that open the same conversation name it alike. */
const conversationId = (thread: string, number: number): string =>
  deterministicId("cnv", "thread", thread, String(number));

export const service: By = { id: "service:conversations" };

type Matched = EventData<"InboundMatched">;

/** Whether an inbound message begins a conversation: there is none, another person's, or one that is closed for long. */
function beginsConversation(
  newest: ThreadConversation | undefined,
  inbound: Pick<Matched, "received_at">,
  samePerson: boolean,
): boolean {
  if (newest === undefined || !samePerson) return true;
  return (
    newest.closedAt !== undefined &&
    Date.parse(inbound.received_at) - Date.parse(newest.closedAt) > reopenWithinMs
  );
}

/**
 * What an inbound message does to its thread, once. At most one conversation is open: the newest; `samePerson` tells whether that one is its contact's, merges followed.
 * What is no message opens nothing and counts as nothing.
 */
export function decideInbound(
  thread: ThreadState | undefined,
  inbound: Matched,
  { name, samePerson }: { readonly name: string; readonly samePerson: boolean },
): readonly Proposed[] {
  if (thread?.entries.has(inbound.message_id) === true) return [];
  const newest = newestOf(thread);
  if (inbound.kind !== "message")
    return newest === undefined ? [] : [reacted(inbound, newest, inbound.kind)];
  const begins = beginsConversation(newest, inbound, samePerson);
  const number = begins ? (thread?.conversations.size ?? 0) : newest!.number;
  const ids = { conversation_id: conversationId(name, number), contact_id: inbound.contact_id };
  const events: Proposed[] = [];
  if (begins) {
    if (newest !== undefined && newest.status !== "closed")
      events.push(closedFor(newest, inbound.received_at));
    events.push({
      type: "ConversationOpened",
      data: {
        ...ids,
        number,
        channel: inbound.channel,
        inbox: inbound.to,
        address: inbound.external_id,
        gateway_id: inbound.gateway_id,
        ...(inbound.pool_id !== undefined && { pool_id: inbound.pool_id }),
        message_id: inbound.message_id,
        opened_at: inbound.received_at,
      },
    });
  } else if (newest!.status !== "open")
    events.push({
      type: "ConversationReopened",
      data: {
        ...ids,
        reason: "the person wrote again",
        message_id: inbound.message_id,
        reopened_at: inbound.received_at,
      },
    });
  if (inbound.known)
    events.push({
      type: "InboundContactMatched",
      data: { ...ids, external_id: inbound.external_id, message_id: inbound.message_id },
    });
  events.push(received(inbound, ids));
  return events;
}

/** The address has come to another contact: what is open with the one before ends. */
const closedFor = (newest: ThreadConversation, at: string): Proposed => ({
  type: "ConversationClosed",
  data: {
    conversation_id: newest.id,
    contact_id: newest.contactId,
    by: service,
    reason: "the address belongs to another contact now",
    closed_at: at,
  },
});

function received(
  inbound: Matched,
  ids: { readonly conversation_id: string; readonly contact_id: string },
): Proposed {
  const {
    external_id: _address,
    known: _known,
    kind: _kind,
    about: _about,
    reason: _reason,
    gateway_id: _gateway,
    pool_id: _pool,
    ...said
  } = inbound;
  return { type: "MessageReceived", data: { ...said, ...ids } };
}

const reacted = (
  inbound: Matched,
  newest: ThreadConversation,
  kind: "reaction" | "edit",
): Proposed => ({
  type: "MessageReacted",
  data: {
    conversation_id: newest.id,
    contact_id: inbound.contact_id,
    message_id: inbound.message_id,
    inbound_id: inbound.inbound_id,
    kind,
    ...(inbound.about !== undefined && { about: inbound.about }),
    ...(inbound.text !== undefined && { text: inbound.text }),
    received_at: inbound.received_at,
  },
});

export const idsOf = ({ id, contactId }: ThreadConversation) => ({
  conversation_id: id,
  contact_id: contactId,
});

export const refused = (message: string, extra: Record<string, unknown> = {}): Decided => ({
  refusal: new PublicError("conflict", message, { extra }),
});

/** An earlier conversation stays as it ended: only the newest of a thread is open, rests or is closed. */
export function ofNewest(
  thread: ThreadState,
  { id }: ThreadConversation,
  decide: () => Decided,
): Decided {
  const newest = newestOf(thread)!;
  return newest.id === id
    ? decide()
    : refused("A later conversation with this address took its place.", {
        conversation_id: newest.id,
      });
}

export const decideClose = (
  conversation: ThreadConversation,
  by: By,
  reason: string,
  at: string,
): Decided =>
  conversation.status === "closed"
    ? nothing
    : {
        events: [
          {
            type: "ConversationClosed",
            data: { ...idsOf(conversation), by, reason, closed_at: at },
          },
        ],
      };

export const decideReopen = (
  thread: ThreadState,
  conversation: ThreadConversation,
  by: By,
  at: string,
): Decided =>
  ofNewest(thread, conversation, () =>
    conversation.status === "open"
      ? nothing
      : {
          events: [
            {
              type: "ConversationReopened",
              data: {
                ...idsOf(conversation),
                reason: `asked for by ${by.name ?? by.id}`,
                by,
                reopened_at: at,
              },
            },
          ],
        },
  );

export const decideSnooze = (
  thread: ThreadState,
  conversation: ThreadConversation,
  by: By,
  { until, at }: { readonly until: string; readonly at: string },
): Decided =>
  ofNewest(thread, conversation, () =>
    conversation.status === "closed"
      ? refused("A closed conversation rests already: reopen it first.")
      : {
          events: [
            {
              type: "ConversationSnoozed",
              data: { ...idsOf(conversation), by, until, snoozed_at: at },
            },
          ],
        },
  );

/** The end of one snooze. Whatever happened since then, an inbound, a close, another snooze, is newer: then it does nothing. */
export const decideWake = (
  conversation: ThreadConversation | undefined,
  snoozeEventId: string,
  at: string,
): readonly Proposed[] =>
  conversation?.status === "snoozed" && conversation.snooze?.eventId === snoozeEventId
    ? [
        {
          type: "ConversationReopened",
          data: {
            ...idsOf(conversation),
            reason: "its rest is over",
            by: service,
            reopened_at: at,
          },
        },
      ]
    : [];

/** Moves the read mark forward. A message that is read already changes nothing, also when two agents read at once. */
export function decideRead(
  thread: ThreadState,
  conversation: ThreadConversation,
  by: By,
  { upTo, at }: { readonly upTo: string; readonly at: string },
): Decided {
  const entry = thread.entries.get(upTo);
  if (entry?.conversationId !== conversation.id || entry.kind === "reaction")
    return {
      refusal: new PublicError("invalid_request", "up_to is no message of this conversation.", {
        errors: [
          { path: "up_to", code: "not_found", message: "is no message of this conversation" },
        ],
      }),
    };
  if (entry.revision <= conversation.readRevision) return nothing;
  return {
    events: [
      {
        type: "ConversationRead",
        data: { ...idsOf(conversation), up_to: upTo, by, read_at: at },
      },
    ],
  };
}

export const decideNote = (
  conversation: ThreadConversation,
  by: By,
  note: { readonly id: string; readonly text: string; readonly at: string },
): Decided => ({
  events: [
    {
      type: "ConversationNoted",
      data: { ...idsOf(conversation), note_id: note.id, text: note.text, by, noted_at: note.at },
    },
  ],
});
