import { type EventData, PublicError, streamOf } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import { appendOne, type Call } from "@heliograph/api";

const maxWaitMs = 5_000;

export type Topup = Pick<
  EventData<"TopupRequested">,
  "transaction_id" | "amount" | "currency" | "reference"
>;

/**
 * Asks the wallet for a top-up and waits until it is booked: the wallet has one writer, and an answer before it decided would be a guess.
 * Gives the balance after it. Throws `log_unavailable` when the wallet does not answer in time; the request stays in the log and is
 * booked once, so a retry with the same idempotency key finds it.
 */
export async function topUp(
  call: Call,
  log: EventLog,
  partner: string,
  topup: Topup,
): Promise<{ readonly available: string; readonly position: bigint }> {
  const requested = await appendOne(log, {
    stream: streamOf("topup", topup.transaction_id),
    expected: "no_stream",
    events: [
      {
        id: call.eventId("topup"),
        type: "TopupRequested",
        data: topup,
        metadata: call.metadata({ partner, correlation: topup.transaction_id }),
      },
    ],
  });
  if (requested === undefined)
    throw new PublicError("conflict", "A top-up of that id is there already.");
  const booked = await waitForBooking(log, topup.transaction_id, requested.position, call.signal);
  if (booked === undefined)
    throw new PublicError(
      "log_unavailable",
      "The wallet has not booked the top-up yet. It is recorded and will be booked once; retry with the same Idempotency-Key.",
      { retryAfterSeconds: 2, extra: { transaction_id: topup.transaction_id } },
    );
  return booked;
}

async function waitForBooking(
  log: EventLog,
  transactionId: string,
  after: bigint,
  ended: AbortSignal,
): Promise<{ readonly available: string; readonly position: bigint } | undefined> {
  const signal = AbortSignal.any([ended, AbortSignal.timeout(maxWaitMs)]);
  for await (const batch of log.subscribe({ after, types: ["FundsToppedUp"], signal }))
    for (const { data, position } of batch.events) {
      const { entries, available } = data as EventData<"FundsToppedUp">;
      if (entries.some((entry) => entry.transaction_id === transactionId))
        return { available, position };
    }
  return undefined;
}
