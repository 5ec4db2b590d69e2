import { type EventData, type TypedEvent, accountOf } from "@heliograph/contracts";
import type { CreateTeam, PatchTeam } from "./schema.ts";

/** All of a team, as each of its events says it. */
export type TeamData = Omit<EventData<"TeamCreated">, "created_at">;
export type TeamState = {
  readonly partner: string;
  readonly team: TeamData;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deleted: boolean;
  readonly revision: number;
};

export const teamTypes = ["TeamCreated", "TeamChanged", "TeamDeleted"] as const;
type TeamEvent = TypedEvent<(typeof teamTypes)[number]> & {
  readonly revision: number;
  readonly metadata: { readonly partner?: string };
};

export function evolveTeam(state: TeamState | undefined, event: TeamEvent): TeamState | undefined {
  const { revision } = event;
  switch (event.type) {
    case "TeamCreated": {
      const { created_at, ...team } = event.data;
      const partner = accountOf(event.metadata.partner ?? "");
      return {
        partner,
        team,
        createdAt: created_at,
        updatedAt: created_at,
        deleted: false,
        revision,
      };
    }
    case "TeamChanged": {
      const { changed_at, ...team } = event.data;
      return state && { ...state, team, updatedAt: changed_at, revision };
    }
    case "TeamDeleted":
      return state && { ...state, deleted: true, revision };
  }
}

export const newTeam = (id: string, given: CreateTeam): TeamData => ({
  team_id: id,
  name: given.name,
  agent_ids: given.agent_ids,
  routing: given.routing,
  working_hours: given.working_hours ?? null,
  skills: given.skills ?? [],
  languages: given.languages ?? [],
  inboxes: given.inboxes ?? [],
  first_response_seconds: given.first_response_seconds ?? null,
  resolution_seconds: given.resolution_seconds ?? null,
});

/** What a field is once it is taken away. */
const taken = {
  skills: [],
  languages: [],
  inboxes: [],
  first_response_seconds: null,
  resolution_seconds: null,
};

/** RFC 7396: what is absent stays as it is, which for lists is not the same as empty; null takes it away. */
export function patchedTeam(
  team: TeamData,
  { working_hours: hours, ...patch }: PatchTeam,
): { readonly team: TeamData } | { readonly missing: "zone" | "days" } {
  const given = Object.fromEntries(
    Object.entries(patch)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, value ?? taken[key as keyof typeof taken]]),
  );
  const changed: TeamData = { ...team, ...given };
  if (hours === undefined) return { team: changed };
  if (hours === null) return { team: { ...changed, working_hours: null } };
  const { zone = team.working_hours?.zone, days = team.working_hours?.days } = hours;
  if (zone === undefined) return { missing: "zone" };
  if (days === undefined) return { missing: "days" };
  return { team: { ...changed, working_hours: { zone, days } } };
}

export const isSameTeam = (left: TeamData, right: TeamData): boolean =>
  (Object.keys(left) as (keyof TeamData)[]).every(
    (key) => JSON.stringify(left[key]) === JSON.stringify(right[key]),
  );
