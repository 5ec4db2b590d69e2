import { accountOf } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import { projector, type WritePart } from "@heliograph/runtime";
import { teamTypes } from "./decide.ts";
import { dropTeams, type TeamWrite, writeTeams } from "./store.ts";
import { teamsDdl } from "./tables/teams.ts";

function project(
  events: readonly RecordedEvent<(typeof teamTypes)[number]>[],
): readonly WritePart[] {
  const written = new Map<string, TeamWrite>();
  const dropped = new Set<string>();
  for (const event of events) {
    const id = event.data.team_id;
    if (event.type === "TeamDeleted") {
      written.delete(id);
      dropped.add(id);
      continue;
    }
    const { created_at, changed_at, ...team } = { created_at: "", changed_at: "", ...event.data };
    const began = written.get(id) ?? { position: event.position, createdAt: created_at };
    written.set(id, {
      id,
      partner: accountOf(event.metadata.partner ?? ""),
      position: began.position,
      createdAt: began.createdAt,
      updatedAt: event.type === "TeamCreated" ? created_at : changed_at,
      team: JSON.stringify(team),
    });
  }
  return [...writeTeams([...written.values()]), ...dropTeams([...dropped])];
}

/** The list of teams. */
export const teamsProjector = projector({
  kind: "projector",
  name: "teams",
  schema: "teams",
  types: teamTypes,
  ddl: teamsDdl,
  create: () => ({ project }),
});
