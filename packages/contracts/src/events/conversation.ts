import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id } from "./common.ts";

/** Stream `conversation-<id>`, one event: where a conversation is, so that its id alone leads there. Written before the conversation opens. */
export const ConversationPlaced = defineEvent(
  "ConversationPlaced",
  1,
  "A conversation belongs to a thread.",
  z.strictObject({ conversation_id: Id, thread: z.string().max(64) }),
);
