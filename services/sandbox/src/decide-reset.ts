import type { EventData } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";

/** How often a sandbox was reset. */
export const evolveResets = (resets: number | undefined, { type, data }: RecordedEvent): number =>
  type === "SandboxReset" ? Math.max(resets ?? 0, data.resets) : (resets ?? 0);

/**
 * Another request may have reset it after this one had looked: then both wanted the same, and its event says that it is done. Whoever repeats either of them finds it.
 */
export const decideReset = (
  resets: number | undefined,
  asked: { readonly partner_id: string; readonly wanted: number; readonly at: string },
) => {
  const { partner_id, wanted, at } = asked;
  const data: EventData<"SandboxReset"> = {
    partner_id,
    resets: Math.max(resets ?? 0, wanted),
    at,
  };
  return { events: [{ type: "SandboxReset", data }] };
};
