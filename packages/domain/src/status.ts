import type { EventType } from "@heliograph/contracts";

/**
 * The ten public statuses in the order of their precedence. The status of a message is the highest one for which there is evidence:
 * a join over this chain, so neither the order nor the number of the events that carry the evidence matters.
 *
 * - `rejected`, `canceled` and `expired` end a message before a provider took it, so they stand below `sent`.
 * - `failed` stands below `delivered`: when a provider says both, the recipient has the message.
 * - `bounced` stands above `delivered`: e-mail servers confirm acceptance first and bounce later.
 */
export const statuses = [
  "scheduled",
  "queued",
  "rejected",
  "canceled",
  "expired",
  "sent",
  "failed",
  "delivered",
  "bounced",
  "read",
] as const;
export type MessageStatus = (typeof statuses)[number];

const rank = new Map<MessageStatus, number>(statuses.map((status, index) => [status, index]));

/** Place in the chain; a higher one wins. */
export const statusRank = (status: MessageStatus): number => rank.get(status)!;

/** The higher of the two: commutative, associative, idempotent. */
export const joinStatus = (one: MessageStatus, other: MessageStatus): MessageStatus =>
  rank.get(other)! > rank.get(one)! ? other : one;

/** What an event of a message's stream is evidence of. The first one, `MessageRequested`, says itself whether the message waits for its time. */
export const statusOf = {
  MessageQueued: "queued",
  MessageSent: "sent",
  MessageDelivered: "delivered",
  MessageRead: "read",
  MessageBounced: "bounced",
  MessageFailed: "failed",
  MessageExpired: "expired",
  MessageRejected: "rejected",
  MessageCanceled: "canceled",
} as const satisfies Readonly<Partial<Record<EventType, MessageStatus>>>;
