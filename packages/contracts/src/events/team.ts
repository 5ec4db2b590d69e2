import { z } from "zod";
import { defineEvent } from "../define.ts";
import { plainText } from "../plain.ts";
import { Id, Time } from "./common.ts";

/** Local times `HH:MM` in an IANA zone; an end before its begin lies on the next day, and the last minute belongs. */
export const WorkingHours = z.strictObject({
  zone: plainText(z.string().max(64)),
  days: z
    .array(
      z.strictObject({
        day: z.enum(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]),
        from: plainText(z.string().length(5)),
        to: plainText(z.string().length(5)),
      }),
    )
    .max(21),
});
export type WorkingHours = z.infer<typeof WorkingHours>;

const team = {
  team_id: Id,
  name: plainText(z.string().max(200)),
  agent_ids: z.array(Id).max(1000),
  routing: z.enum(["round_robin", "least_busy", "manual"]),
  working_hours: WorkingHours.nullable(),
  /** What an agent must have to be given a conversation of this team. */
  skills: z.array(plainText(z.string().max(64))).max(50),
  languages: z.array(plainText(z.string().max(35))).max(50),
  /** Whose new conversations it gets: addresses that were written to; none: those of no other team. */
  inboxes: z.array(z.string().max(320)).max(200),
  first_response_seconds: z.int().min(1).nullable(),
  resolution_seconds: z.int().min(1).nullable(),
};

/** Stream `team-<id>`. Each change says all of it. */
export const TeamCreated = defineEvent(
  "TeamCreated",
  1,
  "There is a team.",
  z.strictObject({ ...team, created_at: Time }),
);
export const TeamChanged = defineEvent(
  "TeamChanged",
  1,
  "A team is as it stands here.",
  z.strictObject({ ...team, changed_at: Time }),
);
export const TeamDeleted = defineEvent(
  "TeamDeleted",
  1,
  "A team is no more.",
  z.strictObject({ team_id: Id, deleted_at: Time }),
);
