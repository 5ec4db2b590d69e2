import type { EventData } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import { type Call, appendOne } from "@heliograph/api";
import { PublicError, streamOf } from "@heliograph/contracts";
import type { Target } from "./target.ts";

const maxWaitMs = 5_000;
const bookings = ["FundsToppedUp", "FundsAdjusted", "AdjustmentDeclined"] as const;

export type Booked = {
  readonly type: (typeof bookings)[number];
  readonly available: string;
  readonly position: bigint;
};
type Asked =
  | { readonly type: "TopupRequested"; readonly data: EventData<"TopupRequested"> }
  | { readonly type: "AdjustmentRequested"; readonly data: EventData<"AdjustmentRequested"> };

/**
 * Asks the wallet for a top-up or a correction and waits until it is decided: the wallet has one writer, and an answer before it decided would be a guess.
 * Gives the balance after it. Throws `log_unavailable` when the wallet does not answer in time; the request stays in the log and is
 * booked once, so a retry with the same idempotency key finds it. `attempt` tells apart what one key asks for.
 */
export async function book(
  call: Call,
  target: Target,
  asked: Asked,
  attempt = "",
): Promise<Booked> {
  const { transaction_id } = asked.data;
  const { log } = target.deps;
  const requested = await appendOne(log, {
    stream: streamOf("topup", transaction_id),
    expected: "no_stream",
    events: [
      {
        id: call.eventId(attempt === "" ? "topup" : `topup ${attempt}`),
        ...asked,
        metadata: call.metadata({
          partner: target.partner.partner_id,
          correlation: transaction_id,
        }),
      },
    ],
  });
  if (requested === undefined)
    throw new PublicError("conflict", "A transaction of that id is there already.");
  const booked = await waitForBooking(log, transaction_id, requested.position, call.signal);
  if (booked === undefined)
    throw new PublicError(
      "log_unavailable",
      "The wallet has not booked it yet. It is recorded and will be booked once; retry with the same Idempotency-Key.",
      { retryAfterSeconds: 2, extra: { transaction_id } },
    );
  return booked;
}

/** Whether the call's key has asked for a transaction. */
export async function isAsked(call: Call<unknown, unknown>): Promise<boolean> {
  const id = call.derivedId("wtx");
  for (const { log } of Object.values(call.context.environments)) {
    const asked = await log.readStream(streamOf("topup", id), { limit: 1 });
    if (asked.length > 0) return true;
  }
  return false;
}

/** Whether a transaction was asked for, and came to nothing. */
export async function wasDeclined(
  log: EventLog,
  transactionId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const [asked] = await log.readStream(streamOf("topup", transactionId), { limit: 1 });
  if (asked === undefined) return false;
  const booked = await waitForBooking(log, transactionId, asked.position, signal);
  return booked?.type === "AdjustmentDeclined";
}

async function waitForBooking(
  log: EventLog,
  transactionId: string,
  after: bigint,
  ended: AbortSignal,
): Promise<Booked | undefined> {
  const signal = AbortSignal.any([ended, AbortSignal.timeout(maxWaitMs)]);
  for await (const batch of log.subscribe({ after, types: bookings, signal }))
    for (const { type, data, position } of batch.events)
      if (data.entries.some((entry) => entry.transaction_id === transactionId))
        return { type, available: data.available, position };
  return undefined;
}
