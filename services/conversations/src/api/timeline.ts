import type { Answer, Call } from "@heliograph/api";
import { eventPublicId, streamOf } from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import { formatPosition, type RecordedEvent } from "@heliograph/log";
import { findConversation } from "./find.ts";

/** Every event of a conversation, oldest first, its texts opened. */
export async function readTimeline(call: Call<unknown, unknown>): Promise<Answer> {
  const { thread, conversation } = await findConversation(call);
  const events: RecordedEvent[] = [];
  const from = conversation.firstRevision;
  for await (const event of call.deps.log.scanStream(streamOf("thread", thread.name), { from }))
    if (event.data.conversation_id === conversation.id) events.push(event);
  const data = events.map(entry);
  const open = await call.deps.vault.open(call.partner.partner_id, data);
  return {
    status: 200,
    body: { conversation_id: conversation.id, environment: call.env, data: open(data) },
    headers: { "Projection-Lag": "0" },
  };
}

const entry = ({ position, id, type, recordedAt, metadata, data }: RecordedEvent) => ({
  position: formatPosition(position),
  id: eventPublicId(id),
  type,
  timestamp: formatTime(recordedAt),
  actor: metadata.actor ?? "platform",
  data,
  ...("reason" in data && { reason: data.reason }),
});
