import { streamOf } from "@heliograph/contracts";
import {
  conversationView,
  holdersOf,
  replyOf,
  withFiles,
  type Conversation,
  type ConversationMessage,
  type ConversationState,
} from "@heliograph/domain";
import type { EventLog, RecordedEvent } from "@heliograph/log";
import type { Vault } from "@heliograph/vault";
import type pg from "pg";
import {
  countUnread,
  readChanges,
  readConversations,
  readMessages,
  readRecent,
  readSequences,
  type Change,
  type Viewer,
} from "../tables/sync.ts";

/** Of a conversation that an agent sees from now on; what was said before is read with GET /conversations/{id}/messages. */
const firstMessages = 10;
/** What a phone begins with; older conversations are read with GET /conversations. */
const firstConversations = 50;
/** A badge counts what is unread in the open conversations that changed last: nobody works on more of them, and no count takes long. */
const countedConversations = 1_000;

export type SyncPage = {
  readonly conversations: readonly Conversation[];
  readonly messages: readonly ConversationMessage[];
  readonly removed: readonly string[];
  readonly reset: boolean;
  readonly next_after: number;
  readonly unread: number;
};
type Deps = {
  readonly log: EventLog;
  readonly projectionPool: pg.Pool;
  readonly vault: Vault;
};
export type Found = {
  readonly changes: readonly Change[];
  readonly nextAfter: number;
  /** The partner's newest sequence. */
  readonly last: number;
};

/** The next changes. Where there are none the cursor stays, so that the answer stays the same too. */
export async function findChanges(
  { projectionPool }: Pick<Deps, "projectionPool">,
  viewer: Viewer,
  after: number,
  limit: number,
): Promise<Found> {
  const { rows, last } = await readChanges(projectionPool, viewer, after, limit);
  const nextAfter =
    rows.length === limit ? rows.at(-1)!.sequence : rows.length === 0 ? after : last;
  return { changes: rows, nextAfter, last };
}

/** What a phone begins with, and where it reads on from. */
export async function beginSync(deps: Deps, viewer: Viewer): Promise<SyncPage> {
  const pool = deps.projectionPool;
  // The counter first: what changes meanwhile is told once more.
  const last = (await readSequences(pool, [viewer.partner])).get(viewer.partner) ?? 0;
  const rows = await readRecent(pool, viewer, firstConversations);
  const ids = rows.map(({ id }) => id);
  const messages = await readMessages(pool, [], ids, firstMessages);
  return {
    ...(await show(deps, viewer, rows, messages)),
    removed: [],
    reset: false,
    next_after: last,
    unread: await countUnread(pool, viewer, countedConversations),
  };
}

/** The changes with what they are about, as it is now. */
export async function showChanges(
  deps: Deps,
  viewer: Viewer,
  { changes, nextAfter }: Found,
): Promise<SyncPage> {
  const pool = deps.projectionPool;
  const told = new Set<string>();
  const gained = new Set<string>();
  const messageIds = new Set<string>();
  for (const { conversation_id, message_id, gained: isGained } of changes) {
    if (conversation_id === null) continue;
    told.add(conversation_id);
    if (isGained) gained.add(conversation_id);
    if (message_id !== null) messageIds.add(message_id);
  }
  const rows = told.size === 0 ? [] : await readConversations(pool, viewer, [...told]);
  const seen = new Set(rows.map(({ id }) => id));
  const whole = viewer.agent === undefined ? [] : [...gained].filter((id) => seen.has(id));
  const messages =
    messageIds.size + whole.length === 0
      ? []
      : await readMessages(pool, [...messageIds], whole, firstMessages);
  return {
    ...(await show(deps, viewer, rows, messages)),
    removed: [...told].filter((id) => !seen.has(id)),
    reset: changes.some(
      ({ conversation_id, agent_id }) =>
        conversation_id === null && (agent_id === null || agent_id === viewer.agent),
    ),
    next_after: nextAfter,
    unread: await countUnread(pool, viewer, countedConversations),
  };
}

async function show(
  { log, vault }: Deps,
  { partner }: Viewer,
  rows: readonly { readonly state: unknown }[],
  bodies: readonly { readonly body: unknown }[],
): Promise<Pick<SyncPage, "conversations" | "messages">> {
  const states = rows.map(({ state }) => state as ConversationState);
  const ids = new Set(states.map(({ id }) => id));
  const messages = bodies
    .map(({ body }) => body as ConversationMessage)
    .filter(({ conversation_id }) => conversation_id !== undefined && ids.has(conversation_id));
  const [told, holders, replies, last] = await Promise.all([
    withFiles(log, messages),
    holdersOf(
      log,
      states.map(({ contact_id }) => contact_id),
    ),
    log.readStreams(messages.flatMap(replyStream)),
    log.readStreams(
      states.flatMap(({ last_message }) => (last_message ? replyStream(last_message) : [])),
      { limit: 1 },
    ),
  ]);
  const closed = {
    conversations: states.map((state) => {
      const { id, name } = holders.get(state.contact_id)!;
      return conversationView(withReply(state, last), { id, name });
    }),
    messages: told.map((message) => replyNow(message, replies)),
  };
  const open = await vault.open(partner, closed);
  return open(closed);
}

type Streams = ReadonlyMap<string, readonly RecordedEvent[]>;
const streamOfMessage = (id: string): string => streamOf("message", id);
const replyStream = ({
  id,
  direction,
}: Pick<ConversationMessage, "id" | "direction">): readonly string[] =>
  direction === "outbound" ? [streamOfMessage(id)] : [];

/** What a reply says stands in its own stream alone. */
function withReply(state: ConversationState, streams: Streams): ConversationState {
  const { last_message: last } = state;
  if (last?.direction !== "outbound") return state;
  const first = streams.get(streamOfMessage(last.id))?.[0];
  const text = first?.type === "MessageRequested" ? (first.data.content.text ?? null) : null;
  return { ...state, last_message: { ...last, text } };
}

/** A reply as its stream tells it now. */
const replyNow = (message: ConversationMessage, streams: Streams): ConversationMessage =>
  message.direction === "outbound"
    ? (replyOf(message, streams.get(streamOfMessage(message.id)) ?? []) ?? message)
    : message;
