import type { ThreadConversation, ThreadState, Conversation } from "@heliograph/domain";

/** A conversation without what is looked up when it is shown: whose it is now, and what a reply says. Texts are sealed. */
export type Shown = Omit<Conversation, "contact"> & { readonly contact_id: string };

export const shownOf = (thread: ThreadState, conversation: ThreadConversation): Shown => ({
  id: conversation.id,
  status: conversation.status,
  contact_id: conversation.contactId,
  channel: thread.channel,
  address: { source: thread.address.source, id: thread.address.id },
  inbox: thread.inbox,
  assignee: conversation.assignee ?? null,
  team: conversation.team ?? null,
  unread: conversation.unread,
  last_message:
    conversation.lastMessage === undefined
      ? null
      : { ...conversation.lastMessage, text: conversation.lastMessage.text ?? null },
  first_response_due_at: conversation.firstResponseDueAt,
  resolution_due_at: conversation.resolutionDueAt,
  created_at: conversation.openedAt,
  updated_at: conversation.updatedAt,
  closed_at: conversation.closedAt ?? null,
});
