import {
  type Answer,
  type Call,
  decodeCursor,
  encodeCursor,
  queryInt,
  whatHappened,
} from "@heliograph/api";
import { streamOf } from "@heliograph/contracts";
import { type RecordedEvent } from "@heliograph/log";
import { z } from "zod";
import { findConversation } from "./find.ts";

/** A conversation is read whole as a rule; one of years is not one answer. */
const maxEvents = 1_000;

export const TimelineQuery = z.strictObject({
  limit: queryInt(1, maxEvents).optional(),
  after: z.string().max(512).optional().meta({ description: "`next_cursor` of an earlier page." }),
});

/** Events of a conversation, oldest first, their texts opened. */
export async function readTimeline(
  call: Call<unknown, z.infer<typeof TimelineQuery>>,
): Promise<Answer> {
  const { thread, conversation } = await findConversation(call);
  const { limit = maxEvents, after } = call.query;
  const secret = call.context.masterKey;
  const list = `timeline ${conversation.id} ${call.env} ${call.partner.partner_id}`;
  const from =
    after === undefined
      ? conversation.firstRevision
      : Number(decodeCursor(secret, list, after, "after")) + 1;
  const events: RecordedEvent[] = [];
  for await (const event of call.deps.log.scanStream(streamOf("thread", thread.name), { from })) {
    // Behind it are the thread's later conversations.
    if (event.revision > conversation.revision) break;
    if (event.data.conversation_id === conversation.id) events.push(event);
    if (events.length > limit) break;
  }
  const more = events.length > limit;
  if (more) events.pop();
  const next = more ? encodeCursor(secret, list, String(events.at(-1)!.revision)) : null;
  const data = events.map(entry);
  const open = await call.deps.vault.open(call.partner.partner_id, data);
  return {
    status: 200,
    body: {
      conversation_id: conversation.id,
      environment: call.env,
      data: open(data),
      next_cursor: next,
    },
  };
}

const entry = (event: RecordedEvent) => ({
  ...whatHappened(event),
  data: event.data,
  ...("reason" in event.data && { reason: event.data.reason }),
});
