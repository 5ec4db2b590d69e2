import { isZone } from "@heliograph/domain";
import { z } from "zod";

/** A decision looks at each: routing among more people than this is done by several teams. */
const maxAgents = 1_000;
const maxSkills = 50;
const maxInboxes = 200;
/** Three ranges on each day of a week. */
const maxRanges = 21;
/** A year: beyond it nothing is a target. */
const maxTargetSeconds = 31_622_400;

const Clock = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, "must be a time such as 09:00");
const Range = z.strictObject({
  day: z.enum(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]),
  from: Clock,
  to: Clock.meta({
    description: "Its minute belongs. Before `from`: on the next day.",
  }),
});
const zone = z
  .string()
  .max(64)
  .refine(isZone, "must be a zone of the IANA data base, such as Europe/Berlin");
const ranges = z.array(Range).max(maxRanges);
const WorkingHours = z.strictObject({ zone, days: ranges }).meta({
  id: "WorkingHours",
  description: "By the clocks of the zone, over summer time too.",
  example: { zone: "Europe/Berlin", days: [{ day: "mon", from: "09:00", to: "17:00" }] },
});

const unique = (items: readonly string[]): boolean => new Set(items).size === items.length;
const texts = (maxLength: number, maxItems: number) =>
  z.array(z.string().trim().min(1).max(maxLength)).max(maxItems).refine(unique, "names one twice");
const target = z.int().min(1).max(maxTargetSeconds);

const name = z.string().trim().min(1).max(200);
const agentIds = z.array(z.string().max(64)).max(maxAgents).refine(unique, "names one twice");
const routing = z.enum(["round_robin", "least_busy", "manual"]);
const optional = {
  skills: texts(64, maxSkills).meta({ description: "An agent must have all of them." }),
  languages: texts(35, maxSkills).meta({ description: "An agent must speak all of them." }),
  inboxes: texts(320, maxInboxes).meta({
    description: "Addresses that were written to. Empty: those of no other team.",
  }),
  first_response_seconds: target.nullable().meta({
    description: "From the opening to an agent's first message; null: no target.",
  }),
  resolution_seconds: target.nullable().meta({
    description: "From the opening to the first closing; null: no target.",
  }),
};

export const CreateTeam = z
  .strictObject({
    name,
    agent_ids: agentIds,
    routing,
    working_hours: WorkingHours.nullable().optional(),
    ...z.object(optional).partial().shape,
  })
  .meta({
    id: "CreateTeam",
    example: { name: "Support", agent_ids: [], routing: "least_busy" },
  });
export type CreateTeam = z.infer<typeof CreateTeam>;

/** RFC 7396: absent stays, null is what it is without. */
export const PatchTeam = z
  .strictObject({
    name,
    agent_ids: agentIds,
    routing,
    working_hours: z.strictObject({ zone, days: ranges }).partial().nullable(),
    skills: optional.skills.nullable(),
    languages: optional.languages.nullable(),
    inboxes: optional.inboxes.nullable(),
    first_response_seconds: optional.first_response_seconds,
    resolution_seconds: optional.resolution_seconds,
  })
  .partial()
  .meta({ id: "PatchTeam", example: { name: "Support" } });
export type PatchTeam = z.infer<typeof PatchTeam>;

export const TeamView = z
  .object({
    id: z.string().meta({ description: "`tea_…`" }),
    name: z.string(),
    agent_ids: z.array(z.string()),
    routing,
    working_hours: WorkingHours.nullable(),
    skills: z.array(z.string()),
    languages: z.array(z.string()),
    inboxes: z.array(z.string()),
    first_response_seconds: z.int().nullable(),
    resolution_seconds: z.int().nullable(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({ id: "Team" });
