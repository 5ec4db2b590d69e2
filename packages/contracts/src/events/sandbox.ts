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
