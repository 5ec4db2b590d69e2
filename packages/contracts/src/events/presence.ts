import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id, Time } from "./common.ts";

/** Stream `presence-<agent id>`, in each environment of the agent. */
export const AgentPresenceChanged = defineEvent(
  "AgentPresenceChanged",
  1,
  "An agent came, went away, or was disabled.",
  z.strictObject({
    agent_id: Id,
    status: z.enum(["online", "away", "offline", "disabled"]),
    reason: z.string().max(500),
    changed_at: Time,
  }),
);
