import { originOf, withLinks, type Call } from "@heliograph/api";
import { streamOf } from "@heliograph/contracts";
import {
  type Conversation,
  type ConversationMessage,
  holdersOf,
  replyOf,
  withFiles,
} from "@heliograph/domain";
import type { Entry } from "../entries.ts";
import type { Shown } from "../view.ts";
import { agentNow } from "./find.ts";

/** A preview: a list shows how a message begins, not a mail of 100,000 characters. */
const maxPreviewCharacters = 500;

/** Conversations as they are answered: with the contact that holds each and the name of its agent now, what a reply says, and every text opened. */
export async function showConversations(
  call: Call<unknown, unknown>,
  shown: readonly Shown[],
): Promise<readonly Conversation[]> {
  const { deps, partner } = call;
  const replies = shown.flatMap(({ last_message: last }) =>
    last?.direction === "outbound" ? [last.id] : [],
  );
  const [holders, streams] = await Promise.all([
    holdersOf(
      deps.log,
      shown.map(({ contact_id }) => contact_id),
    ),
    deps.log.readStreams(
      replies.map((id) => streamOf("message", id)),
      { limit: 1 },
    ),
  ]);
  const closed = shown.map(({ contact_id, ...conversation }): Conversation => {
    const { id, name } = holders.get(contact_id)!;
    const { last_message: last } = conversation;
    const [first] = last === null ? [] : (streams.get(streamOf("message", last.id)) ?? []);
    const said = first?.type === "MessageRequested" ? first.data.content : undefined;
    const text = last?.direction === "outbound" ? (said?.text ?? null) : (last?.text ?? null);
    return {
      ...conversation,
      contact: { id, name },
      assignee: conversation.assignee && {
        ...conversation.assignee,
        ...nameOf(agentNow(call, conversation.assignee)),
      },
      last_message: last && { ...last, text },
    };
  });
  const open = await deps.vault.open(partner.partner_id, closed);
  return open(closed).map(withPreview);
}

const nameOf = (agent: { readonly name: string } | undefined) => agent && { name: agent.name };

const withPreview = (conversation: Conversation): Conversation => {
  const { last_message: last } = conversation;
  return last === null || (last.text?.length ?? 0) <= maxPreviewCharacters
    ? conversation
    : {
        ...conversation,
        last_message: { ...last, text: `${last.text!.slice(0, maxPreviewCharacters)}…` },
      };
};

/** Messages as they are answered: replies with their live status, files of persons with what became of them, every text opened, with fresh links to attachments. */
export async function showMessages(
  { context, deps, env, partner, request }: Call<unknown, unknown>,
  entries: readonly Entry[],
): Promise<readonly ConversationMessage[]> {
  const replies = entries.flatMap(({ id, direction }) =>
    direction === "outbound" ? [streamOf("message", id)] : [],
  );
  const streams = await deps.log.readStreams(replies);
  const messages = entries.flatMap((entry): ConversationMessage[] => {
    if (entry.direction !== "outbound") return [entry];
    const reply = replyOf(entry, streams.get(streamOf("message", entry.id)) ?? []);
    return reply === undefined ? [] : [reply];
  });
  const [open, told] = await Promise.all([
    deps.vault.open(partner.partner_id, messages),
    withFiles(deps.log, messages),
  ]);
  const { masterKey, settings } = context;
  const maker = { masterKey, origin: originOf(request, settings), environment: env };
  return withLinks(maker, open(told), Date.now());
}
