import { type EventData, PublicError } from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";

type Advanced = EventData<"SandboxClockAdvanced">;

/** Longer than the longest schedule, validity and snooze that there are; a clock without an end would outrun what a date can be. */
export const mostAheadSeconds = 400 * 24 * 3_600;

/** Seconds by which the clock is ahead of the real one. */
export const evolveAhead = (ahead: number | undefined, { type, data }: RecordedEvent): number =>
  type === "SandboxClockAdvanced" ? data.ahead_seconds : (ahead ?? 0);

/** Zero seconds ask which time it is. */
export function decideAdvance(
  aheadSeconds: number,
  { partner_id, seconds, realMs }: Pick<Advanced, "partner_id" | "seconds"> & { realMs: number },
):
  | { readonly events: readonly { readonly type: string; readonly data: Advanced }[] }
  | { readonly refusal: PublicError } {
  if (seconds === 0) return { events: [] };
  const left = mostAheadSeconds - aheadSeconds;
  if (seconds > left)
    return {
      refusal: new PublicError(
        "clock_limit_reached",
        `The clock of this sandbox can be advanced by ${left} seconds more.`,
        {
          errors: [{ path: "seconds", code: "clock_limit_reached", message: `must be ≤ ${left}` }],
          extra: { left_seconds: left },
        },
      ),
    };
  const fromMs = realMs + aheadSeconds * 1_000;
  const data: Advanced = {
    partner_id,
    seconds,
    ahead_seconds: aheadSeconds + seconds,
    from: formatTime(fromMs),
    to: formatTime(fromMs + seconds * 1_000),
  };
  return { events: [{ type: "SandboxClockAdvanced", data }] };
}
