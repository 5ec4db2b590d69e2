import { streamOf, uuid5, type EventData, type Failure } from "@heliograph/contracts";
import { messageContext } from "@heliograph/domain";
import type { Append, NewEvent } from "@heliograph/log";

export const partner = "ptn_01HNQX2P8Y9R3T4V5W6Z7A8B9C";
export const failure: Failure = {
  code: "recipient_unreachable",
  class: "recipient",
  permanent: true,
};
type Requested = EventData<"MessageRequested">;
type ReceiptStatus = EventData<"ReceiptReceived">["status"];

export const requestOf = (messageId: string, changes: Partial<Requested> = {}): Requested => ({
  message_id: messageId,
  channel: "sms",
  to: "+15551234567",
  content: { text: "Hi" },
  category: "transactional",
  priority: 1,
  expires_at: "2026-05-24T14:22:17.000Z",
  cost: "0.0079",
  currency: "USD",
  price: { list: "standard", version: 1, country: "US", per_segment: "0.0079" },
  segments: { count: 1, encoding: "GSM-7", characters: 2 },
  created_at: "2026-05-23T14:22:17.000Z",
  ...changes,
});

/** A fact as another service would append it; `name` tells two of a kind apart. */
export const fact = (type: string, data: object, name = "", owner = partner): NewEvent => ({
  id: uuid5(type, JSON.stringify(data), name),
  type,
  data,
  metadata: { partner: owner, actor: "test" },
});

export const onMessage = (
  messageId: string,
  expected: Append["expected"],
  ...events: NewEvent[]
): Append => ({
  stream: streamOf("message", messageId),
  expected,
  events,
});

export const requested = (request: Requested, owner = partner): NewEvent =>
  fact("MessageRequested", request, "", owner);

export const sent = (request: Requested, attempt = 1): NewEvent =>
  fact("MessageSent", {
    message_id: request.message_id,
    message: messageContext(request),
    attempt,
    attempt_id: `atp_${attempt}`,
    gateway: "sim-sms",
    gateway_kind: "simulator",
    choice: { reason: "only one" },
    provider: { name: "simulator", message_id: `p-${attempt}`, status: "accepted" },
    cost: request.cost,
    currency: request.currency,
  });

export const exhausted = (request: Requested, attempts = 3): NewEvent =>
  fact("DispatchExhausted", {
    message_id: request.message_id,
    message: messageContext(request),
    attempts,
    error: failure,
    cost: request.cost,
    currency: request.currency,
    reason: "no attempts left",
  });

export const receiptOf = (
  messageId: string,
  status: ReceiptStatus,
  name = "",
  attempt = 1,
  permanent?: boolean,
): NewEvent =>
  fact("ReceiptReceived", {
    message_id: messageId,
    gateway: "sim-sms",
    provider_message_id: `p-${attempt}`,
    provider_event_id: `${status}${name}`,
    status,
    ...(permanent === undefined ? {} : { permanent }),
    occurred_at: "2026-05-23T14:22:18.000Z",
  });

/** On one part of three that the provider took the message in. */
export const partReceipt = (
  messageId: string,
  status: ReceiptStatus,
  number: number,
  copy = "",
): NewEvent =>
  fact("ReceiptReceived", {
    message_id: messageId,
    gateway: "sim-sms",
    provider_message_id: "p-1",
    provider_event_id: `part ${number} ${status}${copy}`,
    part: { number, of: 3 },
    status,
    occurred_at: "2026-05-23T14:22:18.000Z",
  });

export const onReceipts = (messageId: string, ...events: NewEvent[]): Append => ({
  stream: streamOf("receipts", messageId),
  expected: "any",
  events,
});

export const onWallet = (
  type: "FundsDeclined" | "FundsReleased" | "FundsRefunded" | "FundsKept",
  ...messageIds: string[]
): Append => ({
  stream: streamOf("wallet", partner),
  expected: "any",
  events: [
    fact(type, {
      covers: "1",
      available: "1",
      held: "0",
      currency: "USD",
      entries: messageIds.map((id) => ({ message_id: id, amount: "0.0079" })),
      ...(type === "FundsDeclined" ? { reason: "insufficient_funds" } : {}),
    }),
  ],
});
