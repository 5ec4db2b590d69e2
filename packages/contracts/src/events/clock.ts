import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id, Time } from "./common.ts";

/** Platform log, stream `clock-<partner id>`, anew after each reset: the partner's sandbox went over a stretch of time at once. */
export const SandboxClockAdvanced = defineEvent(
  "SandboxClockAdvanced",
  1,
  "A partner set the clock of its sandbox forward.",
  z.strictObject({
    partner_id: Id,
    seconds: z.int().min(1),
    /** By which the partner's clock is ahead of the real one from now on, all advances together. */
    ahead_seconds: z.int().min(1),
    /** The time that it showed, and the time that it shows: what is due between them is due now. */
    from: Time,
    to: Time,
  }),
);
