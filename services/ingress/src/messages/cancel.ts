import { PublicError, isId, streamOf } from "@heliograph/contracts";
import {
  evolveMessage,
  messageContext,
  messageDetail,
  type MessageState,
} from "@heliograph/domain";
import type { Decision } from "@heliograph/log";
import { addressSubject } from "@heliograph/acceptance";
import { changeOnce, openedFor, type Call, type Answer } from "@heliograph/api";
import { isSealed } from "@heliograph/vault";
import { messageNotFound } from "./timeline.ts";

/**
 * Cancels a message that is still scheduled. The append expects the revision that was folded, so cancel and "due" cannot both win.
 * Throws `conflict` when the message is past that.
 */
export async function cancelMessage(call: Call, id: string): Promise<Answer> {
  if (!isId("msg", id)) throw messageNotFound();
  const { state, position } = await changeOnce<MessageState>(call, {
    stream: streamOf("message", id),
    name: `cancel ${id}`,
    correlation: id,
    evolve: evolveMessage,
    decide: (message) => decideCancel(message, call.partner.partner_id),
  });
  const { request } = state!;
  const body = await openedFor(call, messageDetail(state!, call.env));
  if (isSealed(request.to)) {
    const { vault } = call.deps;
    const to = String(body["to"]);
    call.concerns(addressSubject(vault, call.partner.partner_id, request.channel, to).subject);
    if (request.contact_id !== undefined) call.concerns(request.contact_id);
  }
  return { status: 200, body, position };
}

function decideCancel(message: MessageState | undefined, partner: string): Decision<PublicError> {
  if (message?.partner !== partner) return { refusal: messageNotFound() };
  const { id, status, request } = message;
  if (status !== "scheduled")
    return {
      refusal: new PublicError(
        "conflict",
        `The message is ${status}: only a scheduled one can be canceled.`,
        { extra: { message_status: status } },
      ),
    };
  const { cost, currency } = request;
  const data = { message_id: id, message: messageContext(request), cost, currency };
  return { events: [{ type: "MessageCanceled", data }] };
}
