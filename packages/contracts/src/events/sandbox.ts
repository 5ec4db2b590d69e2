import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id, Time } from "./common.ts";

/** Platform log, stream `sandbox-<partner id>`: from here on the partner's sandbox is another, empty space. A number that was there before changes nothing: two resets at once are one. */
export const SandboxReset = defineEvent(
  "SandboxReset",
  1,
  "A partner put its sandbox back to the beginning.",
  z.strictObject({
    partner_id: Id,
    /** The resets so far, this one too. */
    resets: z.int().min(1),
    at: Time,
  }),
);

/**
 * The sandbox's log, stream `sandbox-<space>`: a space is over. Whoever keeps rows of it drops them, and passes over whatever is still written of it behind this event.
 */
export const SpaceEnded = defineEvent(
  "SpaceEnded",
  1,
  "A sandbox was reset: what was in its space before is over.",
  z.strictObject({ space: Id }),
);
