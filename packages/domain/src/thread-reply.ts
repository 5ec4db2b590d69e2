import { type EventData, uuid5 } from "@heliograph/contracts";
import type { ThreadState } from "./thread.ts";

type Reply = EventData<"MessageRequested">;
type ReplyEvent =
  | {
      readonly id: string;
      readonly type: "ConversationReplied";
      readonly data: EventData<"ConversationReplied">;
    }
  | {
      readonly id: string;
      readonly type: "ConversationAssigned";
      readonly data: EventData<"ConversationAssigned">;
    };

/**
 * What a reply adds to its thread, made of the accepted message alone, so that whoever accepted it and whoever finds it in the log write the same, once: the ids follow from the
 * message. An agent who answers a conversation that nobody has, has it from then on.
 */
export function replyEvents(
  thread: ThreadState,
  { message_id, conversation_id, reply, created_at }: Reply,
): readonly ReplyEvent[] {
  const conversation = thread.conversations.get(conversation_id ?? "");
  if (conversation === undefined || reply === undefined || thread.entries.has(message_id))
    return [];
  const { by, answers } = reply;
  const ids = { conversation_id: conversation.id, contact_id: conversation.contactId };
  const events: ReplyEvent[] = [
    {
      id: uuid5(message_id, "ConversationReplied"),
      type: "ConversationReplied",
      data: { ...ids, message_id, by, answers, replied_at: created_at },
    },
  ];
  const takes =
    by.id.startsWith("agt_") &&
    conversation.assignee === undefined &&
    conversation.status !== "closed";
  if (takes)
    events.push({
      id: uuid5(message_id, "ConversationAssigned"),
      type: "ConversationAssigned",
      data: {
        ...ids,
        agent: { id: by.id, name: by.name ?? by.id },
        by,
        reason: "answered it when nobody had it",
        assigned_at: created_at,
      },
    });
  return events;
}
