import type { WritePart } from "@heliograph/runtime";

export type TeamWrite = {
  readonly id: string;
  readonly partner: string;
  /** Of its beginning, as the other two, where that is in the same batch; else of no account. */
  readonly position: bigint;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** JSON. */
  readonly team: string;
};

/** Teams as they are now; a row keeps its beginning. */
export const writeTeams = (teams: readonly TeamWrite[]): readonly WritePart[] =>
  teams.length === 0
    ? []
    : [
        {
          name: "teams_write",
          sql: `insert into {schema}.teams (id, partner, position, created_at, updated_at, team)
            select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[])
            on conflict (id) do update set updated_at = excluded.updated_at, team = excluded.team`,
          values: [
            teams.map(({ id }) => id),
            teams.map(({ partner }) => partner),
            teams.map(({ position }) => position),
            teams.map(({ createdAt }) => createdAt),
            teams.map(({ updatedAt }) => updatedAt),
            teams.map(({ team }) => team),
          ],
        },
      ];

export const dropTeams = (ids: readonly string[]): readonly WritePart[] =>
  ids.length === 0
    ? []
    : [
        {
          name: "teams_drop",
          sql: "delete from {schema}.teams where id = any($1::text[])",
          values: [ids],
        },
      ];
