import type { Environment, EventData } from "@heliograph/contracts";
import type { MessageState } from "./message.ts";
import type { MessageStatus } from "./status.ts";
import { formatTime } from "./time.ts";

const showsError: ReadonlySet<MessageStatus> = new Set([
  "failed",
  "bounced",
  "rejected",
  "expired",
]);

/** The body of `GET /messages/{id}`, keys in the order of the contract. `cost` is what the wallet was charged and did not get back. */
export function messageView(
  state: MessageState,
  environment: Environment,
): Record<string, unknown> {
  const { request } = state;
  return {
    id: state.id,
    status: state.status,
    channel: request.channel,
    to: request.to,
    environment,
    cost: state.charged ? request.cost : "0",
    cost_estimate: request.cost,
    currency: request.currency,
    segments: request.segments,
    ...(state.provider === undefined ? {} : { provider: state.provider }),
    ...(state.error !== undefined && showsError.has(state.status) ? { error: state.error } : {}),
    ...(state.refund !== undefined && state.status === "failed" ? { refund: state.refund } : {}),
    attempts: state.attempts,
    client_ref: request.client_ref ?? null,
    metadata: request.metadata ?? {},
    tags: request.tags ?? [],
    ...(request.send_at === undefined ? {} : { send_at: request.send_at }),
    created_at: request.created_at,
    updated_at: formatTime(Math.max(state.updatedAt, Date.parse(request.created_at))),
  };
}

/** The body of the 202. Made from the first event alone, so a replay of the request gives the same bytes for ever. */
export function acceptedView(
  request: EventData<"MessageRequested">,
  environment: Environment,
): Record<string, unknown> {
  return {
    id: request.message_id,
    status: request.send_at === undefined ? "queued" : "scheduled",
    channel: request.channel,
    cost_estimate: request.cost,
    created_at: request.created_at,
    environment,
    currency: request.currency,
    segments: request.segments,
    to: request.to,
  };
}
