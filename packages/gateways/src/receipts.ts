import type { EventData, Failure } from "@heliograph/contracts";
import { magicOutcome } from "./magic.ts";
import type { Attempt, Receipt } from "./types.ts";

/** A receipt and how long after the provider's answer it arrives. */
export type DelayedReceipt = { readonly delayMs: number; readonly receipt: Receipt };
type Sent = Pick<
  EventData<"MessageResent">,
  "message_id" | "message" | "attempt" | "attempt_id" | "gateway" | "gateway_kind" | "provider"
>;

/** Receipts arrive 50–149 ms after the answer: the delay comes from the attempt id, so a crash and a repetition change nothing. */
function delayOf(attemptId: string): number {
  const length = attemptId.length;
  return (
    50 + ((attemptId.charCodeAt(length - 1) * 31 + attemptId.charCodeAt(length - 2) * 7) % 100)
  );
}

const undelivered: Failure = {
  code: "undelivered",
  class: "recipient",
  permanent: true,
  provider: {
    name: "simulator",
    code: "undelivered",
    text: "The network could not deliver the message",
  },
};
const bounced: Failure = {
  code: "mailbox_not_found",
  class: "recipient",
  permanent: true,
  provider: { name: "simulator", code: "5.1.1", text: "550 5.1.1 The mailbox does not exist" },
};
const deferred: Failure = {
  code: "mailbox_full",
  class: "recipient",
  permanent: false,
  provider: { name: "simulator", code: "4.2.2", text: "452 4.2.2 The mailbox is full" },
};

/**
 * Every receipt that the simulated provider (or the `log` gateway, which always reports delivery) sends for an accepted attempt.
 * Pure: `sentAt` (epoch ms) is when the acceptance was recorded. A broadcast channel confirms nothing.
 */
export function simulatorReceipts(sent: Sent, sentAt: number): readonly DelayedReceipt[] {
  if (sent.message.channel === "broadcast") return [];
  const base = delayOf(sent.attempt_id);
  const make = (
    status: Receipt["status"],
    delayMs: number,
    extra: Pick<Receipt, "permanent" | "error" | "diagnostic"> = {},
  ): DelayedReceipt => ({
    delayMs,
    receipt: {
      message_id: sent.message_id,
      gateway: sent.gateway,
      provider_message_id: sent.provider.message_id,
      provider_event_id: `${sent.attempt_id}.${status}`,
      status,
      ...extra,
      occurred_at: new Date(sentAt + delayMs).toISOString(),
    },
  });
  const outcome = sent.gateway_kind === "simulator" ? magicOutcome(sent.message.to) : "delivered";
  switch (outcome) {
    case "sent-only":
      return [];
    case "bounced":
      return sent.message.channel === "email"
        ? [
            make("bounced", base, {
              permanent: true,
              error: bounced,
              diagnostic: "smtp; 550 5.1.1 The mailbox does not exist",
            }),
          ]
        : [make("undelivered", base, { permanent: true, error: undelivered })];
    case "soft-bounced":
      return sent.attempt === 1
        ? [
            make("deferred", base, {
              permanent: false,
              error: deferred,
              diagnostic: "smtp; 452 4.2.2 The mailbox is full",
            }),
          ]
        : [make("delivered", base)];
    case "duplicate-receipts":
      // Out of order: the hand-over to the network is reported after the delivery, and the delivery again and again.
      return [make("delivered", base - 20), make("sent", base), make("delivered", base + 20)];
    case "contradictory":
      return [
        make("delivered", base),
        make("undelivered", base + 60, { permanent: true, error: undelivered }),
      ];
    default:
      return [make("delivered", base)];
  }
}

/** The receipt of `duplicate-receipts` that overtakes the answer to its own send; the later copies have the same provider event id. */
export function earlyReceipt(gateway: string, attempt: Attempt, now: number): Receipt {
  return {
    message_id: attempt.messageId,
    gateway,
    provider_message_id: `sim_${attempt.attemptId.slice(4)}`,
    provider_event_id: `${attempt.attemptId}.delivered`,
    status: "delivered",
    occurred_at: new Date(now).toISOString(),
  };
}
