import { type Answer, type Call, type Route, notValid, route } from "@heliograph/api";
import { parseMailId, replySubject } from "@heliograph/channels";
import { type EventData, PublicError, failpoint, streamOf } from "@heliograph/contracts";
import {
  type FoundConversation,
  type ThreadState,
  evolveThread,
  readConversation,
  replyEvents,
} from "@heliograph/domain";
import { change } from "@heliograph/log";
import { sendErrors } from "./routes.ts";
import { AcceptedReply, SendReply, SettledReply } from "./schema.ts";
import type { Item, ReplyFields } from "./item.ts";
import { sendingOf } from "./state.ts";
import { answerSend, prefer } from "./waiting.ts";

/** WhatsApp takes a text for so long after the person wrote (Meta, "customer service window"); then a template only. */
const windowMs = 24 * 3_600_000;

type ReplyCall = Call<SendReply, unknown>;
/** The partner's conversation. Throws `not_found`, and `contact_erased` for one whose person nobody knows any more. */
async function find(call: ReplyCall): Promise<FoundConversation> {
  const found = await readConversation(call.deps, call.partner.partner_id, call.params["id"]!);
  if (found === undefined) throw new PublicError("not_found", "There is no such conversation.");
  if (found.holder.erased)
    throw new PublicError("contact_erased", "The contact of this conversation was erased.");
  return found;
}

/** The window that is open is that of the number which the person wrote to last: the others of the pool may write templates only. */
const needsWindow = ({ channel }: ThreadState, { template }: SendReply): boolean =>
  channel === "whatsapp" && template === undefined;

/** Only what the person writes opens the window: own messages, templates and notes do not. Throws `session_window_closed`. */
function requireWindow({ thread }: FoundConversation, body: SendReply, nowMs: number): void {
  if (!needsWindow(thread, body)) return;
  const last = thread.lastInboundAt;
  if (last === undefined || nowMs - Date.parse(last) > windowMs)
    throw new PublicError(
      "session_window_closed",
      "The person wrote more than 24 hours ago: only a template is taken now.",
    );
}

/** From where the person wrote to; of a pool from the sender that the person sees, which is that one where there is none yet, unless the window is another's. */
function senderOf(
  { context: { directory }, env, account, body }: ReplyCall,
  thread: ThreadState,
): Pick<Item["body"], "from" | "sender_pool"> {
  const ofWindow = needsWindow(thread, body);
  const inbox = ofWindow ? (thread.lastInbound?.to ?? thread.inbox) : thread.inbox;
  const pools = directory.senderPools(env, account);
  const pool = pools.find(({ pool_id }) => pool_id === thread.poolId);
  const from = pool?.senders[pool.inboxes.indexOf(inbox)];
  if (pool === undefined || (from === undefined && ofWindow)) return { from: inbox };
  return { sender_pool: pool.pool_id, ...(from !== undefined && { from }) };
}

/** The message that a reply is, and what it has beyond other messages. The texts of the thread are opened for it. */
async function composed(
  call: ReplyCall,
  { thread, conversation, holder }: FoundConversation,
): Promise<{ readonly body: Item["body"]; readonly reply: ReplyFields }> {
  const { channel, address, lastInbound } = thread;
  const open = await call.deps.vault.open(call.partner.partner_id, address, lastInbound);
  const { subject, ...said } = call.body;
  const heard = channel === "email" ? open(lastInbound) : undefined;
  const own =
    subject ??
    (call.body.template === undefined && heard?.subject !== undefined
      ? replySubject(heard.subject)
      : undefined);
  const inReplyTo = heard && parseMailId(heard.providerId);
  const { agent, key } = call;
  return {
    body: {
      ...said,
      ...(own !== undefined && { subject: own }),
      channel,
      to: open(address).id,
      ...senderOf(call, thread),
    },
    reply: {
      conversation_id: conversation.id,
      contact_id: holder.id,
      reply: {
        by: agent ? { id: agent.agent_id, name: agent.name } : { id: key.key_id, name: key.name },
        answers: call.body.template === undefined,
      },
      ...(inReplyTo !== undefined && {
        in_reply_to: inReplyTo,
        ...(heard?.references !== undefined && { references: [...heard.references] }),
      }),
    },
  };
}

/** A key of one conversation is another one than the same key of another, or of a plain send. */
const keyPartsOf = ({ params, idempotencyKey }: ReplyCall): readonly string[] | undefined =>
  idempotencyKey === undefined ? undefined : ["reply", params["id"]!, idempotencyKey];

/** The message that it makes, or has made. */
const idOf = (call: ReplyCall): string =>
  sendingOf(call).messageId(call.partner.partner_id, keyPartsOf(call));
const firstOf = async ({ deps }: ReplyCall, id: string): Promise<object | undefined> =>
  (await deps.log.readStream(streamOf("message", id), { limit: 1 }))[0];

async function reply(call: ReplyCall): Promise<Answer> {
  const sending = sendingOf(call);
  const found = await find(call);
  call.concerns(found.holder.id);
  const keyParts = keyPartsOf(call);
  const id = idOf(call);
  // A repetition is answered as it was, whatever has closed since.
  if ((await firstOf(call, id)) === undefined) requireWindow(found, call.body, call.now());
  const { body, reply: conversation } = await composed(call, found);
  if (body.to === "[erased]")
    throw new PublicError("contact_erased", "The contact of this conversation was erased.");
  const more = { conversation_id: found.conversation.id };
  const keepsSender = needsWindow(found.thread, call.body);
  const item = { body, keyParts, conversation, asked: call.body, keepsSender };
  return answerSend(
    call,
    id,
    async () => {
      const [settled] = await sending.send(call, [item], [id]);
      if (settled!.kind === "refused") throw forReply(settled!.error);
      const { sent } = settled!;
      await failpoint("ingress.before_replied");
      const noted = await noteReply(call, found.thread.name, id);
      const position = noted > sent.position ? noted : sent.position;
      return { ...sent, body: { ...sent.body, ...more }, position };
    },
    more,
  );
}

/** A caller named neither recipient nor sender: a refusal of one of them is about the conversation. */
function forReply(error: PublicError): PublicError {
  const named = error.errors.find(({ path }) => path === "to" || path === "from");
  return named === undefined || error.code !== "invalid_request"
    ? error
    : notValid("path", [{ ...named, path: "id" }]);
}

/**
 * Tells the thread of an accepted reply. The message is on its way whatever becomes of this: a crash or an unavailable log here is made good by the consumer that places
 * messages in threads, which writes the same event. Gives where the thread then stands, 0 when that is not known.
 */
async function noteReply(call: ReplyCall, thread: string, id: string): Promise<bigint> {
  const { log } = call.deps;
  try {
    const [requested] = await log.readStream(streamOf("message", id), { limit: 1 });
    const data = requested!.data as EventData<"MessageRequested">;
    const { fingerprint: _, ...metadata } = call.metadata({
      correlation: id,
      causation: requested!.id,
    });
    const changed = await change<ThreadState>(log, {
      stream: streamOf("thread", thread),
      evolve: evolveThread,
      decide: (state) => ({ events: state === undefined ? [] : replyEvents(state, data) }),
      metadata,
    });
    return changed.kind === "changed" || changed.kind === "unchanged" ? changed.position : 0n;
  } catch (error) {
    call.context.logger.warn({ err: error, message: id }, "a reply is not in its thread yet");
    return 0n;
  }
}

export const replyRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/conversations/:id/messages",
    scope: "conversations:write",
    summary: "Answer the person of a conversation",
    mutates: true,
    idempotency: "stream",
    audit: false,
    status: 202,
    body: SendReply,
    response: AcceptedReply,
    also: {
      200: { description: "With `Prefer: wait=N`: what became of it.", response: SettledReply },
    },
    prefer,
    errors: [...sendErrors, "not_found", "contact_erased", "session_window_closed"],
    repeats: async (call) => (await firstOf(call, idOf(call))) !== undefined,
    handler: reply,
  }),
];
