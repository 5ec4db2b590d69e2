import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Time } from "./common.ts";

/** Platform log, streams `audit-live` and `audit-sandbox`: what the chain of that environment's audit had come to, kept where whoever changes the audit does not reach. */
export const AuditAnchored = defineEvent(
  "AuditAnchored",
  1,
  "A day of the audit had so many rows, and this was the hash of the last.",
  z.strictObject({
    environment: z.enum(["live", "sandbox"]),
    day: z.string().length(10),
    rows: z.int().min(1),
    hash: z.string().length(64),
    anchored_at: Time,
  }),
);
