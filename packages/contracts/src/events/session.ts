import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id, Time } from "./common.ts";

/** Stream `session-<id>`, one event, in the environment of the session: what others keep for it ends too. Sessions themselves, and what opens them, stand in no event. */
export const SessionEnded = defineEvent(
  "SessionEnded",
  1,
  "An agent's session is over.",
  z.strictObject({
    session_id: Id,
    agent_id: Id,
    reason: z.string().max(200),
    ended_at: Time,
  }),
);
