import { z } from "zod";
import { defineEvent } from "../define.ts";
import { Id, Time } from "./common.ts";

/** Stream `feed-<id of the partner>`, in the namespace whose backup was restored. */
export const SequenceRaised = defineEvent(
  "SequenceRaised",
  1,
  "After a restore to an earlier point: the partner's next lifecycle event gets a number that none had before.",
  z.strictObject({ partner_id: Id, raised_by: z.int().min(1), at: Time }),
);
