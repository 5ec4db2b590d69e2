import { type Answer, type Call, openedFor, replayedHeader, waitSeconds } from "@heliograph/api";
import { messageDetail, readMessage } from "@heliograph/domain";
import { sendsUnderWay } from "@heliograph/runtime";
import type { Outcomes } from "./outcomes.ts";
import { sendingOf } from "./state.ts";

const maxWaitSeconds = 30;

/** What a route that waits says of `Prefer`. */
export const prefer = `\`wait=N\` answers when the message was sent or failed, at most N (${maxWaitSeconds}) seconds later.`;

type Accepted = {
  readonly body: object;
  readonly position: bigint | undefined;
  readonly replayed: boolean;
};

/**
 * Accepts the message `id` and, where the caller prefers to wait, answers with what became of it. `more` stands in that answer too. A repetition is answered at once, as it was.
 */
export async function answerSend(
  call: Call<unknown, unknown>,
  id: string,
  accept: () => Promise<Accepted>,
  more: object = {},
): Promise<Answer> {
  const seconds = waitSeconds(call.request.headers["prefer"]?.toString(), maxWaitSeconds);
  const over = sendsUnderWay.begin();
  let outcome: ReturnType<Outcomes["expect"]> | undefined;
  try {
    if (seconds > 0) outcome = sendingOf(call).outcomes.expect(id);
    const { body, position, replayed } = await accept();
    if (replayed) return { status: 202, body, position, headers: replayedHeader };
    if (outcome !== undefined && (await outcome.wait(seconds * 1000, call.signal))) {
      const state =
        outcome.state ?? (await readMessage(call.deps.log, call.partner.partner_id, id))!.state;
      const seen = position === undefined || state.position > position ? state.position : position;
      return {
        status: 200,
        body: { ...(await openedFor(call, messageDetail(state, call.env))), ...more },
        position: seen,
        headers: { "Preference-Applied": "wait" },
      };
    }
    return { status: 202, body, position };
  } finally {
    outcome?.cancel();
    over();
  }
}
