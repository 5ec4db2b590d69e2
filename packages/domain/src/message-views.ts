import type { Environment, EventData } from "@heliograph/contracts";
import { stepsView } from "./failover.ts";
import type { MessageState } from "./message.ts";
import type { MessageStatus } from "./status.ts";
import { formatTime } from "./time.ts";

const showsError: ReadonlySet<MessageStatus> = new Set([
  "failed",
  "bounced",
  "rejected",
  "expired",
]);

/** The body of `GET /messages/{id}`: what a list shows of the message, and what it says. */
export function messageDetail(
  state: MessageState,
  environment: Environment,
): Record<string, unknown> {
  const { template, ...body } = state.request.content;
  return {
    ...messageView(state, environment),
    ...(state.failover !== undefined && { failover: stepsView(state.failover) }),
    content: {
      ...body,
      ...(template !== undefined && {
        template: {
          slug: template.slug,
          version: template.version,
          language: template.language,
          variables: template.variables,
        },
      }),
    },
  };
}

/** What the wallet was charged and did not get back. */
export const costOf = ({ charged, charge = "0", request }: MessageState): string =>
  charged ? request.cost : charge;

/** A message as lists show it, keys in the order of the contract. */
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
    ...(request.from === undefined ? {} : { from: request.from }),
    ...(request.sender_pool === undefined ? {} : { sender_pool: request.sender_pool }),
    ...(request.sender_rule === undefined ? {} : { sender_rule: request.sender_rule }),
    environment,
    cost: costOf(state),
    cost_estimate: request.hold ?? request.cost,
    currency: request.currency,
    segments: request.segments,
    ...(state.provider === undefined ? {} : { provider: state.provider }),
    ...(state.error !== undefined && showsError.has(state.status) ? { error: state.error } : {}),
    ...(state.refund !== undefined && state.status === "failed" ? { refund: state.refund } : {}),
    ...(state.diagnostic === undefined ? {} : { bounce: { diagnostic: state.diagnostic } }),
    attempts: state.attempts,
    retry_count: Math.max(0, state.attempts - 1),
    client_ref: request.client_ref ?? null,
    metadata: request.metadata ?? {},
    tags: request.tags ?? [],
    ...(request.send_at === undefined ? {} : { send_at: request.send_at }),
    ...(state.sentAt === undefined ? {} : { sent_at: formatTime(state.sentAt) }),
    ...(state.deliveredAt === undefined ? {} : { delivered_at: state.deliveredAt }),
    ...(state.readAt === undefined ? {} : { read_at: state.readAt }),
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
    cost_estimate: request.hold ?? request.cost,
    created_at: request.created_at,
    environment,
    currency: request.currency,
    segments: request.segments,
    to: request.to,
    ...chosenSender(request),
  };
}

/** A sender that the request did not name itself. */
const chosenSender = ({ from, sender_pool, sender_rule }: EventData<"MessageRequested">) =>
  (sender_pool ?? sender_rule) === undefined
    ? {}
    : {
        from,
        ...(sender_pool !== undefined && { sender_pool }),
        ...(sender_rule !== undefined && { sender_rule }),
      };
