import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id } from "./common.ts";

/** Stream `hold-<message id>`, revision 0: the wallet's own timer asks for it, the wallet decides. */
export const HoldLapsed = defineEvent(
  "HoldLapsed",
  1,
  "The time ended in which something had to become of the message that a hold is for.",
  z.strictObject({ message_id: Id, currency: z.string().length(3) }),
);
