import { magicOutcome } from "@heliograph/channels";
import type { Failure } from "@heliograph/contracts";
import type { AcceptedAttempt, DelayedReceipt } from "../descriptor.ts";
import { playedDelayMs, playedReceipt } from "../played-receipts.ts";
import type { Attempt, Receipt } from "../types.ts";

const undelivered = (name: string): Failure => ({
  code: "undelivered",
  class: "recipient",
  permanent: true,
  provider: {
    name,
    code: "undelivered",
    text: "The network could not deliver the message",
  },
});
const bounced = (name: string): Failure => ({
  code: "mailbox_not_found",
  class: "recipient",
  permanent: true,
  provider: { name, code: "5.1.1", text: "550 5.1.1 The mailbox does not exist" },
});
const deferred = (name: string): Failure => ({
  code: "mailbox_full",
  class: "recipient",
  permanent: false,
  provider: { name, code: "4.2.2", text: "452 4.2.2 The mailbox is full" },
});

/** Every receipt that the simulated provider sends for an accepted attempt. */
export function simulatorReceipts(
  sent: AcceptedAttempt,
  sentAt: number,
): readonly DelayedReceipt[] {
  const base = playedDelayMs(sent.attemptId);
  const make = (
    status: Receipt["status"],
    delayMs: number,
    extra?: Pick<Receipt, "permanent" | "error" | "diagnostic">,
  ): DelayedReceipt => playedReceipt(sent, sentAt, status, delayMs, extra);
  const outcome = magicOutcome(sent.channel, sent.to);
  switch (outcome) {
    case "sent-only":
      return [];
    case "bounced":
      return sent.channel === "email"
        ? [
            make("bounced", base, {
              permanent: true,
              error: bounced(sent.gateway),
              diagnostic: "smtp; 550 5.1.1 The mailbox does not exist",
            }),
          ]
        : [make("undelivered", base, { permanent: true, error: undelivered(sent.gateway) })];
    case "soft-bounced":
      return sent.attempt === 1
        ? [
            make("deferred", base, {
              permanent: false,
              error: deferred(sent.gateway),
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
        make("undelivered", base + 60, { permanent: true, error: undelivered(sent.gateway) }),
      ];
    case "read":
      return [make("delivered", base), make("read", base + 60)];
    case "complained":
      return [
        make("delivered", base),
        make("complained", base + 60, { diagnostic: "The recipient reported it as unwanted" }),
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
