import { type Environment, accountOf } from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import { formatPosition, type RecordedEvent } from "@heliograph/log";
import type { Entry } from "./entry.ts";

type Sent = Extract<RecordedEvent, { readonly type: "MessageRequested" }>;

const sendAction = "POST /messages";
const replyAction = "POST /conversations/:id/messages";
export const sendActions: readonly string[] = [sendAction, replyAction];
const accepted = 202;

const actionOf = (data: Sent["data"]): string =>
  data.conversation_id === undefined ? sendAction : replyAction;

/** Undefined for what an agent sent: the table has it; and for what a broadcast did: the table has who started that. */
export function sendEntry(
  environment: Environment,
  { position, stream, data, metadata, recordedAt }: Sent,
): Entry | undefined {
  if (/^(?:agt|brc)_/.test(metadata.actor ?? "")) return undefined;
  const id = `msg_${stream.slice("message-".length)}`;
  return {
    key: String(position),
    id: `${environment}-log-${formatPosition(position)}`,
    at: formatTime(recordedAt),
    environment,
    partner: accountOf(metadata.partner ?? ""),
    actor: metadata.actor ?? "",
    key_prefix: null,
    action: actionOf(data),
    target: `/api/v1/messages/${id}`,
    subject: id,
    request_id: metadata.request_id ?? "",
    ip: typeof metadata["ip"] === "string" ? metadata["ip"] : "",
    outcome: accepted,
    code: null,
    count: 1,
    changes: null,
  };
}
