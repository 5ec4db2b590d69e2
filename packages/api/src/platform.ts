import { type EventData, PublicError } from "@heliograph/contracts";
import type { Append } from "@heliograph/log";
import { requireOwn } from "./append.ts";
import type { Call } from "./call.ts";

/**
 * Appends to the platform log and waits until this process's directory shows it, so that the next request already sees it.
 * Gives the position of the last event, and whether an earlier try had stored them. Throws `log_unavailable` when that takes too long, and
 * `idempotency_key_reused` when another request with this key stored them; conflicts are left to the caller.
 */
export async function appendPlatform(
  call: Call,
  appends: readonly Append[],
): Promise<{ readonly position: bigint; readonly conflicts: number; readonly repeated: boolean }> {
  let position = 0n;
  let conflicts = 0;
  let repeated = false;
  const outcomes = await call.context.platformLog.append(appends);
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.kind === "invalid")
      throw new Error(`${appends[index]!.stream}: ${outcome.message}`);
    if (outcome.kind === "conflict") {
      conflicts++;
      continue;
    }
    if (outcome.kind === "duplicate") {
      await requireOwn(call.context.platformLog, appends[index]!, outcome);
      repeated = true;
    }
    if (outcome.position > position) position = outcome.position;
  }
  await untilInEffect(call, position);
  return { position, conflicts, repeated };
}

/** Waits until this process's directory shows the platform log up to the position. Throws `log_unavailable` when that takes too long. */
export const untilInEffect = (call: Call, position: bigint): Promise<void> =>
  call.context.directory.caughtUp(position).catch((cause: unknown) => {
    throw new PublicError(
      "log_unavailable",
      "It is recorded, but not in effect yet. Retry with the same Idempotency-Key.",
      { retryAfterSeconds: 1, cause },
    );
  });

/** Secrets that are shown once are shown to who sees them first: not again when a key is used anew after its stored answer was dropped. */
export const showsSecrets = (call: Call, repeated: boolean): boolean =>
  !repeated || call.unfinished;

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
