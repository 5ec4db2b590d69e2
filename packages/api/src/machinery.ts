import { PublicError } from "@heliograph/contracts";
import { LogUnavailable } from "@heliograph/log";
import { isMachinery } from "@heliograph/runtime";

/** The log or the database behind it is away: never a 202, and a retry is safe. Undefined for every other error. */
export function machinery(thrown: unknown): PublicError | undefined {
  if (!(thrown instanceof LogUnavailable) && !isMachinery(thrown)) return undefined;
  const { retryAfterMs, outcomeUnknown } =
    thrown instanceof LogUnavailable ? thrown : { retryAfterMs: 1_000, outcomeUnknown: false };
  // Whoever sent no key has to know, before he sends again, that there may be two then.
  return new PublicError(
    "log_unavailable",
    `${outcomeUnknown ? "It is not known whether the message log has taken this" : "The message log cannot take this now"}. Retry with the same Idempotency-Key.`,
    { retryAfterSeconds: Math.max(1, Math.ceil(retryAfterMs / 1000)), cause: thrown },
  );
}
