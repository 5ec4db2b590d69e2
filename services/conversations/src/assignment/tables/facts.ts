/**
 * What the reactor knows at its checkpoint: conversations that are not closed, teams, who is there, whose turn it is. One row each, so that a start reads them instead of the log.
 */
export const factsDdl = `
create table if not exists {schema}.facts (
  kind text not null, -- work, team, presence, turns
  id text not null,
  fact text not null, -- JSON
  primary key (kind, id)
) with (fillfactor = 70);
`;

/** Whose a fact is where it is of a space: teams and who is there stay. */
export const spaceOfFact = "case kind when 'work' then fact::json ->> 'partner' end";
