import { type Call, etagOf } from "@heliograph/api";
import { PublicError } from "@heliograph/contracts";
import {
  type FoundConversation,
  type Holder,
  type ThreadConversation,
  readConversation,
} from "@heliograph/domain";

/** The conversation that the path names. Throws `not_found`, also for another partner's. */
export async function findConversation(call: Call<unknown, unknown>): Promise<FoundConversation> {
  const found = await readConversation(call.deps, call.partner.partner_id, call.params["id"]!);
  if (found === undefined) throw new PublicError("not_found", "There is no such conversation.");
  return found;
}

/** Changes with the conversation and with the contact whose name it shows. */
export const conversationTag = (conversation: ThreadConversation, holder: Holder): string =>
  etagOf(conversation.revision, holder.id.slice(-8), holder.revision);
