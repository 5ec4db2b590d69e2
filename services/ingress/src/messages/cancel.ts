import { PublicError, streamOf } from "@heliograph/contracts";
import { foldMessage, messageContext, messageView } from "@heliograph/domain";
import type { Call } from "../call.ts";
import { requireSameRequest } from "../idempotency.ts";
import type { Answer } from "../route.ts";
import { readMessage } from "./read.ts";

/** Only a scheduled message changes under our hands, and that once (it becomes due), so a second look decides. */
const maxAttempts = 3;

/**
 * Cancels a message that is still scheduled. The append expects the revision that was folded, so cancel and "due" cannot both win.
 * Throws `conflict` when the message is past that.
 */
export async function cancelMessage(call: Call, id: string): Promise<Answer> {
  const eventId = call.eventId(`cancel ${id}`);
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    const { state, events } = await readMessage(call.deps, call.partner.partner_id, id);
    // The first try with this key may have crashed after its append.
    const own = events.findIndex((event) => event.id === eventId);
    if (own !== -1) {
      requireSameRequest(events[own]!, call.fingerprint);
      return {
        status: 200,
        body: messageView(foldMessage(events.slice(0, own + 1))!, call.env),
        position: events[own]!.position,
      };
    }
    if (state.status !== "scheduled")
      throw new PublicError(
        "conflict",
        `The message is ${state.status}: only a scheduled one can be canceled.`,
        { extra: { message_status: state.status } },
      );
    const { request } = state;
    const data = {
      message_id: state.id,
      message: messageContext(request),
      cost: request.cost,
      currency: request.currency,
    };
    const [outcome] = await call.deps.log.append([
      {
        stream: streamOf("message", id),
        expected: state.revision,
        events: [
          {
            id: eventId,
            type: "MessageCanceled",
            data,
            metadata: call.metadata({ correlation: state.id }),
          },
        ],
      },
    ]);
    if (outcome?.kind === "invalid") throw new Error(outcome.message);
    // What was stored is read back, so that this answer and a replay after a crash are the same.
  }
  const { state, events } = await readMessage(call.deps, call.partner.partner_id, id);
  const own = events.find((event) => event.id === eventId);
  if (own === undefined)
    throw new PublicError("conflict", "The message changed too often; try again.", {
      retryAfterSeconds: 1,
    });
  return { status: 200, body: messageView(state, call.env), position: own.position };
}
