import { createHash } from "node:crypto";
import { type Call, etagOf } from "@heliograph/api";
import { PublicError, streamOf } from "@heliograph/contracts";
import {
  type FoundConversation,
  type Holder,
  type ThreadConversation,
  type ThreadState,
  evolveThread,
  holdersOf,
  readConversation,
} from "@heliograph/domain";
import type { EventIn, EventLog } from "@heliograph/log";

/** A conversation's own events, oldest first: where it begins and ends is known, so that of a thread of years no more is read than its part. What stands between them is another's, and changes nothing of it. */
export async function* eventsOf(
  log: Pick<EventLog, "scanStream">,
  { thread, conversation }: Pick<FoundConversation, "thread" | "conversation">,
): AsyncGenerator<EventIn<`thread-${string}`>> {
  const from = conversation.firstRevision;
  for await (const event of log.scanStream(streamOf("thread", thread.name), { from })) {
    if (event.revision > conversation.revision) return;
    if (event.data.conversation_id === conversation.id) yield event;
  }
}

/** It as it was where the log ends; undefined before it opened. */
async function asItWas(
  log: EventLog,
  now: FoundConversation,
): Promise<FoundConversation | undefined> {
  let thread: ThreadState | undefined;
  for await (const event of eventsOf(log, now)) thread = evolveThread(thread, event);
  const conversation = thread?.conversations.get(now.conversation.id);
  if (thread === undefined || conversation === undefined) return undefined;
  const { contactId } = conversation;
  const holder = (await holdersOf(log, [contactId])).get(contactId)!;
  return { thread, conversation, holder };
}

/** The conversation that the path names, now or as of an earlier position: its thread is folded once, and what it was is found from where it is. Throws `not_found`, also for another partner's. */
export async function findConversation(call: Call<unknown, unknown>): Promise<FoundConversation> {
  const { deps, present } = call;
  const now = await readConversation(present, call.partner.partner_id, call.params["id"]!);
  const found = now === undefined || deps === present ? now : await asItWas(deps.log, now);
  if (found === undefined) throw new PublicError("not_found", "There is no such conversation.");
  return found;
}

/** The agent who has it, as he is called by now; undefined for one who is not known here, and where a call looks back: what was shown then was the name that he had as he got it. */
export const agentNow = (
  { context, deps, present }: Call<unknown, unknown>,
  assignee: { readonly id: string } | null | undefined,
) => (assignee && deps === present ? context.directory.agent(assignee.id) : undefined);

const shortHash = (text: string): string =>
  createHash("sha256").update(text).digest("base64url").slice(0, 11);

/** Changes with the conversation, with the contact whose name it shows, and with its agent. */
export function conversationTag(
  call: Call<unknown, unknown>,
  { revision, assignee }: ThreadConversation,
  holder: Holder,
): string {
  const agent = agentNow(call, assignee);
  const parts = [revision, holder.id.slice(-8), holder.revision];
  // What is shown of him alone: his sign-ins, his capacity and his skills are no change of the conversation.
  return etagOf(...parts, ...(agent === undefined ? [] : [shortHash(agent.name)]));
}
