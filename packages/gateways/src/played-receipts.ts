import type { AcceptedAttempt, DelayedReceipt } from "./descriptor.ts";
import type { Receipt } from "./types.ts";

/** Played receipts are due 50–149 ms after the answer, and come up to 50 ms later, in company: the delay comes from the attempt id, so a crash and a repetition change nothing. */
export function playedDelayMs(attemptId: string): number {
  const length = attemptId.length;
  return (
    50 + ((attemptId.charCodeAt(length - 1) * 31 + attemptId.charCodeAt(length - 2) * 7) % 100)
  );
}

/** A receipt of an accepted attempt, so long after its acceptance at `sentAt` (epoch ms). One status is one provider event, however often it is reported. */
export const playedReceipt = (
  sent: AcceptedAttempt,
  sentAt: number,
  status: Receipt["status"],
  delayMs: number,
  extra: Pick<Receipt, "permanent" | "error" | "diagnostic"> = {},
): DelayedReceipt => ({
  delayMs,
  receipt: {
    message_id: sent.messageId,
    gateway: sent.gateway,
    provider_message_id: sent.providerMessageId,
    provider_event_id: `${sent.attemptId}.${status}`,
    status,
    ...extra,
    occurred_at: new Date(sentAt + delayMs).toISOString(),
  },
});
