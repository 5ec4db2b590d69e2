import { type EventData, PublicError } from "@heliograph/contracts";
import type { Append } from "@heliograph/log";
import type { Call } from "./call.ts";

/**
 * Appends to the platform log and waits until this process's directory shows it, so that the next request already sees it.
 * Gives the position of the last event. Throws `log_unavailable` when that takes too long; conflicts are left to the caller.
 */
export async function appendPlatform(
  call: Call,
  appends: readonly Append[],
): Promise<{ readonly position: bigint; readonly conflicts: number }> {
  let position = 0n;
  let conflicts = 0;
  const outcomes = await call.context.platformLog.append(appends);
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.kind === "invalid")
      throw new Error(`${appends[index]!.stream}: ${outcome.message}`);
    if (outcome.kind === "conflict") conflicts++;
    else if (outcome.position > position) position = outcome.position;
  }
  await call.context.directory.caughtUp(position).catch((cause: unknown) => {
    throw new PublicError(
      "log_unavailable",
      "It is recorded, but not in effect yet. Retry with the same Idempotency-Key.",
      { retryAfterSeconds: 1, cause },
    );
  });
  return { position, conflicts };
}

/** One event that begins a stream of the platform log. */
export const created = (
  call: Call,
  stream: string,
  eventName: string,
  type: "PartnerCreated" | "KeyIssued",
  data: EventData<"PartnerCreated"> | EventData<"KeyIssued">,
): Append => ({
  stream,
  expected: "no_stream",
  events: [
    {
      id: call.eventId(eventName),
      type,
      data,
      metadata: call.metadata({ partner: data.partner_id }),
    },
  ],
});
