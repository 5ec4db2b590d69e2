import type { Channel } from "@heliograph/contracts";
import { type ConversationMessage, agentOf, inboundMessage, noteMessage } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";

type Agent = ConversationMessage["agent"];
/** A message or note as its thread tells it. What a reply says, and what became of it, its own stream tells. */
export type Entry =
  | (ConversationMessage & { readonly direction: "inbound" | "note" })
  | {
      readonly id: string;
      /** Absent of a message that was sent outside of a conversation. */
      readonly conversation_id?: string;
      readonly direction: "outbound";
      readonly agent?: Agent;
      readonly at: string;
    };

/** What an event adds to the messages of a conversation, if it adds something. */
export function entryOf(event: RecordedEvent, channel: Channel): Entry | undefined {
  switch (event.type) {
    case "MessageReceived":
      return { ...inboundMessage(event.data), direction: "inbound" };
    case "ConversationNoted":
      return { ...noteMessage(event.data, channel), direction: "note" };
    case "ConversationReplied": {
      const { message_id, conversation_id, by, replied_at } = event.data;
      return {
        id: message_id,
        conversation_id,
        direction: "outbound",
        ...agentOf(by),
        at: replied_at,
      };
    }
    default:
      return undefined;
  }
}
