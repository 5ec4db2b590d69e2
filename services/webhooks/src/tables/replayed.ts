/** What waits for a replay, which may be canceled. */
export const replayedDdl = `
create index deliveries_replay on {schema}.deliveries (replay) where status = 'pending' and replay is not null;
`;

/** What a delivery was when a replay asked for it, which it is again when that is canceled. */
export const beforeReplayDdl = `
alter table {schema}.deliveries add column before text;
`;
