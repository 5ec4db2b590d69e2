import type pg from "pg";
import type { TeamData } from "../decide.ts";

/** Teams for lists; one team is read from its stream. */
export const teamsDdl = `
create table if not exists {schema}.teams (
  id text primary key,
  partner text not null,
  position bigint not null,
  created_at text not null,
  updated_at text not null,
  team text not null -- JSON of its newest event
) with (fillfactor = 70);
create index if not exists teams_partner on {schema}.teams (partner, position);
`;

export type TeamRow = {
  readonly position: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly team: TeamData;
};

/** The partner's teams, newest first: those before a position, or those nearest after it. */
export async function listTeams(
  pool: pg.Pool,
  query: {
    readonly partner: string;
    readonly limit: number;
    readonly before?: string;
    readonly after?: string;
  },
): Promise<readonly TeamRow[]> {
  const backwards = query.after !== undefined;
  const { rows } = await pool.query<Omit<TeamRow, "team"> & { readonly team: string }>({
    name: `teams_list_${backwards}`,
    text: `select position::text, created_at, updated_at, team from teams.teams
      where partner = $1 and ($2::bigint is null or position ${backwards ? ">" : "<"} $2)
      order by teams.position ${backwards ? "" : "desc"} limit $3`,
    values: [query.partner, query.after ?? query.before ?? null, query.limit],
  });
  const found = rows.map(({ team, ...row }) => ({ ...row, team: JSON.parse(team) as TeamData }));
  return backwards ? found.reverse() : found;
}

/** The ids of a partner's teams. */
export async function teamIds(pool: pg.Pool, partner: string): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>({
    name: "teams_ids",
    text: "select id from teams.teams where partner = $1",
    values: [partner],
  });
  return rows.map(({ id }) => id);
}
