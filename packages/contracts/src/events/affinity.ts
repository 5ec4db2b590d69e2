import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id, Time } from "./common.ts";

/** Stream `affinity-<name>`, one for each recipient of a pool, whose name tells nothing of who that is: the last event is the sender that the recipient sees. */
export const SenderChosen = defineEvent(
  "SenderChosen",
  1,
  "A recipient has a sender of a pool.",
  z.strictObject({ pool_id: Id, sender: z.string().max(512), chosen_at: Time }),
);
