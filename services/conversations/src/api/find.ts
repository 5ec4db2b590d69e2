import { type Call, etagOf } from "@heliograph/api";
import { PublicError, isId, streamOf } from "@heliograph/contracts";
import {
  type Holder,
  type ThreadConversation,
  type ThreadState,
  holdersOf,
  readThreadNow,
} from "@heliograph/domain";

export type Found = {
  readonly thread: ThreadState;
  readonly conversation: ThreadConversation;
  /** Whose it is now. */
  readonly holder: Holder;
};

/** A partner's conversation, folded from the log itself, so it is always fresh. Throws `not_found`, also for another partner's. */
export async function findConversation(call: Call<unknown, unknown>): Promise<Found> {
  const id = call.params["id"]!;
  const { log } = call.deps;
  const [placed] = isId("cnv", id)
    ? await log.readStream(streamOf("conversation", id), { limit: 1 })
    : [];
  const own = placed?.metadata.partner === call.partner.partner_id ? placed : undefined;
  const thread = own && (await readThreadNow(call.deps, own.data.thread));
  const conversation = thread?.conversations.get(id);
  if (thread === undefined || conversation === undefined)
    throw new PublicError("not_found", "There is no such conversation.");
  const { contactId } = conversation;
  const holder = (await holdersOf(log, [contactId])).get(contactId)!;
  return { thread, conversation, holder };
}

/** Changes with the conversation and with the contact whose name it shows. */
export const conversationTag = (conversation: ThreadConversation, holder: Holder): string =>
  etagOf(conversation.revision, holder.id.slice(-8), holder.revision);
