import type { TeamData } from "./decide.ts";

/** A team as routes and lists show it. */
export const teamView = (team: TeamData, createdAt: string, updatedAt: string) => ({
  id: team.team_id,
  name: team.name,
  agent_ids: team.agent_ids,
  routing: team.routing,
  working_hours: team.working_hours,
  skills: team.skills,
  languages: team.languages,
  inboxes: team.inboxes,
  first_response_seconds: team.first_response_seconds,
  resolution_seconds: team.resolution_seconds,
  created_at: createdAt,
  updated_at: updatedAt,
});
