import {
  type Answer,
  type Call,
  type Route,
  explainedOr,
  explainField,
  ExplainQuery,
  FieldExplanation,
  listBody,
  listOf,
  openedFor,
  pageOf,
  route,
} from "@heliograph/api";
import { Conversation, ConversationMessage, evolveThread, partsOf } from "@heliograph/domain";
import type { z } from "zod";
import { listConversations } from "../tables/conversations.ts";
import { type Shown, shownOf } from "../view.ts";
import { close, note, read, reopen, snooze } from "./changes.ts";
import { conversationTag, eventsOf, findConversation } from "./find.ts";
import { HistoryQuery, MessagesQuery, listContactMessages, listMessages } from "./messages.ts";
import {
  ConversationTimeline,
  ConversationsQuery,
  NoteBody,
  ReadBody,
  SnoozeBody,
} from "./schema.ts";
import { showConversations } from "./show.ts";
import { TimelineQuery, readTimeline } from "./timeline.ts";

async function list(call: Call<undefined, ConversationsQuery>): Promise<Answer> {
  const { status, assignee, team, contact, channel, unread } = call.query;
  const name = JSON.stringify(["conversations", status, assignee, team, contact, channel, unread]);
  const page = pageOf(call, name);
  // The list runs from new to old: what comes after a cursor lies before its activity.
  const rows = await listConversations(call.deps.projectionPool, {
    partner: call.partner.partner_id,
    limit: page.limit + 1,
    filter: {
      status,
      assignee: assignee === "none" ? null : assignee,
      team,
      contacts: contact === undefined ? undefined : await partsOf(call.deps.log, contact),
      channel,
      unread: unread === undefined ? undefined : unread === "true",
    },
    ...(page.before !== undefined && { after: page.before }),
    ...(page.after !== undefined && { before: page.after }),
  });
  const shown = await showConversations(
    call,
    rows.map(({ view }) => JSON.parse(view) as Shown),
  );
  const placed = rows.map(({ activity }, index) => ({ activity, shown: shown[index]! }));
  const body = listBody(
    call,
    name,
    page,
    placed,
    (row) => row.activity,
    (row) => row.shown,
  );
  return { status: 200, body };
}

async function get(call: Call<unknown, unknown>): Promise<Answer> {
  const { thread, conversation, holder } = await findConversation(call);
  const [body] = await showConversations(call, [shownOf(thread, conversation)]);
  return {
    status: 200,
    body,
    etag: conversationTag(call, conversation, holder),
  };
}

/** Whose contact it is, and what a reply says, other streams tell. */
const explainable = Object.keys(Conversation.shape).filter(
  (field) => field !== "contact" && field !== "last_message",
);

/** Folded as the conversation is shown, event by event. */
async function explain(call: Call<undefined, z.infer<typeof ExplainQuery>>): Promise<Answer> {
  const found = await findConversation(call);
  const { id } = found.conversation;
  const explained = await explainField(id, call.query.field, explainable, {
    events: eventsOf(call.deps.log, found),
    evolve: evolveThread,
    show: (state) => {
      const now = state.conversations.get(id);
      return now && shownOf(state, now);
    },
  });
  const body = await openedFor(call, explainedOr(explained, "conversation"));
  return { status: 200, body };
}

const changeErrors = [
  "invalid_request",
  "malformed_json",
  "not_found",
  "conflict",
  "precondition_failed",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "log_unavailable",
] as const;
/** What the routes that change a conversation have in common. */
const changes = {
  method: "POST",
  scope: "conversations:write",
  mutates: true,
  etag: true,
  response: Conversation,
  errors: changeErrors,
} as const;
const messageList = listOf(ConversationMessage, "ConversationMessageList");

export const conversationRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/conversations",
    scope: "conversations:read",
    summary: "List conversations, newest activity first",
    projection: "conversations",
    query: ConversationsQuery,
    response: listOf(Conversation, "ConversationList"),
    errors: ["invalid_request"],
    handler: list,
  }),
  route({
    method: "GET",
    path: "/conversations/:id",
    folded: true,
    scope: "conversations:read",
    summary: "Get a conversation, now or as of an earlier position or time",
    asOf: true,
    etag: true,
    response: Conversation,
    errors: ["not_found"],
    handler: get,
  }),
  route({
    method: "GET",
    path: "/conversations/:id/explain",
    folded: true,
    scope: "conversations:read",
    summary:
      "Which events a field of a conversation comes from, now or as of an earlier position or time",
    asOf: true,
    query: ExplainQuery,
    response: FieldExplanation,
    errors: ["not_found", "invalid_request"],
    handler: explain,
  }),
  route({
    method: "GET",
    path: "/conversations/:id/messages",
    folded: true,
    scope: "conversations:read",
    summary: "List the messages and notes of a conversation, oldest first",
    query: MessagesQuery,
    response: messageList,
    errors: ["invalid_request", "not_found"],
    handler: listMessages,
  }),
  route({
    method: "POST",
    path: "/conversations/:id/notes",
    scope: "conversations:write",
    summary: "Write a note that the person does not see",
    mutates: true,
    status: 201,
    body: NoteBody,
    response: ConversationMessage,
    errors: [...changeErrors, "contact_erased"],
    handler: note,
  }),
  route({
    ...changes,
    path: "/conversations/:id/close",
    summary: "Close a conversation",
    handler: close,
  }),
  route({
    ...changes,
    path: "/conversations/:id/reopen",
    summary: "Open a conversation that is closed or rests",
    handler: reopen,
  }),
  route({
    ...changes,
    path: "/conversations/:id/snooze",
    summary: "Let a conversation rest until a time, or until the person writes",
    body: SnoozeBody,
    handler: snooze,
  }),
  route({
    ...changes,
    path: "/conversations/:id/read",
    summary: "Mark everything up to a message as read",
    body: ReadBody,
    handler: read,
  }),
  route({
    method: "GET",
    path: "/conversations/:id/timeline",
    folded: true,
    scope: "conversations:read",
    summary: "Every event of a conversation, oldest first",
    query: TimelineQuery,
    response: ConversationTimeline,
    errors: ["invalid_request", "not_found"],
    handler: readTimeline,
  }),
  route({
    method: "GET",
    path: "/contacts/:id/messages",
    scope: "conversations:read",
    summary: "What was said with a contact, over all channels and both directions, newest first",
    projection: "conversations",
    query: HistoryQuery,
    response: messageList,
    errors: ["invalid_request", "not_found"],
    handler: listContactMessages,
  }),
];
