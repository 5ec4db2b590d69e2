import type { Channel, EventData, TypedEvent } from "@heliograph/contracts";

/** What the fold needs of a recorded event; `RecordedEvent` of the log fits. */
export type ThreadEvent = TypedEvent & {
  readonly id: string;
  readonly stream: string;
  readonly position: bigint;
  readonly revision: number;
  readonly metadata: { readonly partner?: string };
};

type Named = { readonly id: string; readonly name: string };

/** A message that the person sees, or sent. */
export type ThreadMessage = {
  readonly id: string;
  readonly direction: "inbound" | "outbound";
  /** Of an inbound message, sealed; what an outbound one says is in its own stream. */
  readonly text: string | undefined;
  readonly at: string;
};

export type ThreadConversation = {
  readonly id: string;
  /** Whose it was when it opened. Where that contact was merged since, it is the survivor's. */
  readonly contactId: string;
  /** How many conversations the thread had before. */
  readonly number: number;
  readonly status: "open" | "snoozed" | "closed";
  /** The id of the event that made it rest: only its own end wakes it. */
  readonly snooze: { readonly eventId: string; readonly until: string } | undefined;
  readonly assignee: Named | undefined;
  readonly team: string | undefined;
  /** Inbound messages after the read mark, in the order of the log. */
  readonly unread: number;
  /** The revision of the message up to which everything was read; -1 before anything was. */
  readonly readRevision: number;
  readonly lastMessage: ThreadMessage | undefined;
  /** The first answer that somebody wrote, and not a machine. */
  readonly answeredAt: string | undefined;
  /** The person wrote last: nobody has answered that yet. */
  readonly waiting: boolean;
  /** By the team's targets; null where there is none, or it is met. */
  readonly firstResponseDueAt: string | null;
  readonly resolutionDueAt: string | null;
  readonly openedAt: string;
  readonly updatedAt: string;
  readonly closedAt: string | undefined;
  /** Of its first event: where a read of its history begins. */
  readonly firstRevision: number;
  /** Of the last event that its readers notice, which a read mark is not: lists are in this order. */
  readonly activity: bigint;
  /** Of its last event: it tells its states apart. */
  readonly revision: number;
};

/** All conversations with one address at one of our inboxes. Only the newest of them can be open. */
export type ThreadState = {
  readonly name: string;
  readonly partner: string;
  readonly channel: Channel;
  readonly inbox: string;
  /** The pool of senders that the inbox was one of: then it is all with one address at any of them. */
  readonly poolId: string | undefined;
  readonly address: EventData<"ConversationOpened">["address"];
  readonly gatewayId: string | undefined;
  /** When the person wrote last: WhatsApp's window is open for 24 hours from then. */
  readonly lastInboundAt: string | undefined;
  /** Which of our addresses the last inbound message was written to, what the provider calls it, its subject (sealed) and what it refers to: what an e-mail answers. */
  readonly lastInbound:
    | {
        readonly to: string;
        readonly providerId: string;
        readonly subject?: string;
        readonly references?: readonly string[];
      }
    | undefined;
  /** By id, oldest first. */
  readonly conversations: ReadonlyMap<string, ThreadConversation>;
  /**
   * Every message, reaction and note by its id. It only grows, and the states of one fold share it, so that a long thread is not copied with each of its events.
   */
  readonly entries: ReadonlyMap<string, ThreadEntry>;
  readonly revision: number;
  readonly position: bigint;
};
export type ThreadEntry = {
  readonly conversationId: string;
  readonly revision: number;
  readonly kind: "inbound" | "outbound" | "note" | "reaction";
};

/** The one conversation that may be open: the newest. */
export const newestOf = (thread: ThreadState | undefined): ThreadConversation | undefined =>
  thread && [...thread.conversations.values()].at(-1);

/**
 * The name of a thread's stream, `thread-<name>`, which tells nothing of the address to whoever has no naming key. The address is named by its external id's own name, so
 * nothing need be opened to find the thread.
 */
export const threadName = (
  vault: { name(...parts: readonly string[]): string },
  of: {
    readonly partner: string;
    /** The id of its pool, where it is in one. */
    readonly inbox: string;
    readonly channel: Channel;
    readonly address: Pick<EventData<"ConversationOpened">["address"], "name">;
  },
): string => vault.name("thread", of.partner, of.inbox, of.channel, of.address.name);

export const threadTypes = [
  "ConversationOpened",
  "InboundContactMatched",
  "MessageReceived",
  "MessageReacted",
  "ConversationReopened",
  "ConversationClosed",
  "ConversationSnoozed",
  "AssignmentRequested",
  "ConversationAssigned",
  "ConversationQueued",
  "ConversationUnassigned",
  "ConversationReplied",
  "ConversationNoted",
  "ConversationRead",
  "ConversationOverdue",
] as const;
type Own = Extract<ThreadEvent, { readonly type: (typeof threadTypes)[number] }>;
const own: ReadonlySet<string> = new Set(threadTypes);
const isOwn = (event: ThreadEvent): event is Own => own.has(event.type);

/**
 * The next state; undefined before the first `ConversationOpened`. An event that was folded already changes nothing. Unknown types only move revision and position, so an
 * older reader survives a newer writer.
 */
export function evolveThread(
  state: ThreadState | undefined,
  event: ThreadEvent,
): ThreadState | undefined {
  if (state !== undefined && event.revision <= state.revision) return state;
  const { revision, position } = event;
  if (event.type === "ConversationOpened") return opened(state, event);
  if (state === undefined) return undefined;
  if (!isOwn(event)) return { ...state, revision, position };
  const before = state.conversations.get(event.data.conversation_id);
  if (before === undefined) return { ...state, revision, position };
  noteEntry(state.entries, event);
  const conversations = new Map(state.conversations).set(before.id, {
    ...before,
    ...changes(before, event, state.entries),
    revision,
    ...(event.type !== "ConversationRead" && { activity: position }),
  });
  return { ...state, ...heard(event), conversations, revision, position };
}

function opened(
  state: ThreadState | undefined,
  {
    data,
    metadata,
    stream,
    revision,
    position,
  }: Extract<ThreadEvent, { readonly type: "ConversationOpened" }>,
): ThreadState {
  const conversation: ThreadConversation = {
    id: data.conversation_id,
    contactId: data.contact_id,
    number: data.number,
    status: "open",
    snooze: undefined,
    assignee: undefined,
    team: undefined,
    unread: 0,
    readRevision: -1,
    lastMessage: undefined,
    answeredAt: undefined,
    waiting: false,
    firstResponseDueAt: null,
    resolutionDueAt: null,
    openedAt: data.opened_at,
    updatedAt: data.opened_at,
    closedAt: undefined,
    firstRevision: revision,
    activity: position,
    revision,
  };
  return {
    name: stream.slice("thread-".length),
    partner: metadata.partner ?? "",
    channel: data.channel,
    inbox: data.inbox,
    poolId: data.pool_id,
    address: data.address,
    gatewayId: data.gateway_id ?? state?.gatewayId,
    lastInboundAt: state?.lastInboundAt,
    lastInbound: state?.lastInbound,
    conversations: new Map(state?.conversations).set(conversation.id, conversation),
    entries: state?.entries ?? new Map(),
    revision,
    position,
  };
}

/** What the thread itself knows of the last thing that the person wrote. */
const heard = (event: Own): Partial<ThreadState> =>
  event.type === "MessageReceived"
    ? {
        lastInboundAt: event.data.received_at,
        lastInbound: {
          to: event.data.to,
          providerId: event.data.provider.message_id,
          ...(event.data.subject !== undefined && { subject: event.data.subject }),
          ...(event.data.references !== undefined && { references: event.data.references }),
        },
      }
    : {};

function entryOf(event: Own): readonly [id: string, kind: ThreadEntry["kind"]] | undefined {
  switch (event.type) {
    case "MessageReceived":
      return [event.data.message_id, "inbound"];
    case "MessageReacted":
      return [event.data.message_id, "reaction"];
    case "ConversationReplied":
      return [event.data.message_id, "outbound"];
    case "ConversationNoted":
      return [event.data.note_id, "note"];
    default:
      return undefined;
  }
}

function noteEntry(entries: ReadonlyMap<string, ThreadEntry>, event: Own): void {
  const entry = entryOf(event);
  if (entry === undefined) return;
  const [id, kind] = entry;
  (entries as Map<string, ThreadEntry>).set(id, {
    conversationId: event.data.conversation_id,
    revision: event.revision,
    kind,
  });
}

type Changes = { -readonly [Key in keyof ThreadConversation]?: ThreadConversation[Key] };

function changes(
  before: ThreadConversation,
  event: Own,
  entries: ReadonlyMap<string, ThreadEntry>,
): Changes {
  switch (event.type) {
    case "MessageReceived":
    case "ConversationReplied":
      return exchanged(before, event);
    case "ConversationReopened":
      return {
        status: "open",
        snooze: undefined,
        closedAt: undefined,
        updatedAt: event.data.reopened_at,
      };
    case "ConversationClosed":
      return {
        status: "closed",
        snooze: undefined,
        firstResponseDueAt: null,
        resolutionDueAt: null,
        closedAt: event.data.closed_at,
        updatedAt: event.data.closed_at,
      };
    case "ConversationSnoozed":
      return {
        status: "snoozed",
        snooze: { eventId: event.id, until: event.data.until },
        updatedAt: event.data.snoozed_at,
      };
    case "ConversationAssigned":
      return {
        assignee: event.data.agent,
        team: event.data.team ?? before.team,
        ...dueTimes(before, event.data),
        updatedAt: event.data.assigned_at,
      };
    case "ConversationQueued":
      return {
        assignee: undefined,
        team: event.data.team ?? before.team,
        ...dueTimes(before, event.data),
        updatedAt: event.data.queued_at,
      };
    case "ConversationUnassigned":
      return {
        assignee: undefined,
        team: event.data.team,
        updatedAt: event.data.unassigned_at,
      };
    case "ConversationNoted":
      return { updatedAt: event.data.noted_at };
    case "ConversationRead":
      return read(before, event, entries);
    default:
      return {};
  }
}

/** Routing tells them with its decision; what it leaves out stays. */
const dueTimes = (
  before: ThreadConversation,
  {
    first_response_due_at = before.firstResponseDueAt,
    resolution_due_at = before.resolutionDueAt,
  }: EventData<"ConversationAssigned"> | EventData<"ConversationQueued">,
): Changes => ({
  firstResponseDueAt: first_response_due_at,
  resolutionDueAt: resolution_due_at,
});

function exchanged(
  before: ThreadConversation,
  { type, data }: Extract<Own, { type: "MessageReceived" | "ConversationReplied" }>,
): Changes {
  if (type === "MessageReceived") {
    const { message_id: id, text, received_at: at } = data;
    return {
      unread: before.unread + 1,
      lastMessage: { id, direction: "inbound", text, at },
      waiting: true,
      updatedAt: at,
    };
  }
  const { message_id: id, answers, replied_at: at } = data;
  return {
    lastMessage: { id, direction: "outbound", text: undefined, at },
    ...(answers && {
      waiting: false,
      answeredAt: before.answeredAt ?? at,
      firstResponseDueAt: null,
    }),
    updatedAt: at,
  };
}

/**
 * The mark moves forward only, and what counts is the place in the log: a message of an earlier time that came later is unread. Another fold of the same thread may be ahead, and
 * its entries are in the shared ones: those behind the event are not of this state yet.
 */
function read(
  before: ThreadConversation,
  { data, revision: now }: Extract<Own, { type: "ConversationRead" }>,
  entries: ReadonlyMap<string, ThreadEntry>,
): Changes {
  const mark = entries.get(data.up_to)?.revision ?? -1;
  if (mark <= before.readRevision) return {};
  let unread = 0;
  for (const { conversationId, revision, kind } of entries.values())
    if (kind === "inbound" && revision > mark && revision < now && conversationId === before.id)
      unread++;
  return { readRevision: mark, unread };
}
