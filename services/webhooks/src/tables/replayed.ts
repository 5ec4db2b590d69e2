/** What waits for a replay, which may be canceled. */
export const replayedDdl = `
create index deliveries_replay on {schema}.deliveries (replay) where status = 'pending' and replay is not null;
`;
