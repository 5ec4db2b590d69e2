/**
 * Endpoints of which nothing but failures came, for how long that is known, and whether their owner was told (epoch ms, ms); and what owners are to be told by mail, one row for each event that says
 * it, until a process that serves the API has posted it.
 */
export const healthDdl = `
create table {schema}.failing (
  endpoint_id text primary key,
  since bigint not null,
  failed_at bigint not null,
  failed_for_ms bigint not null,
  told boolean not null
) with (fillfactor = 50);
create table {schema}.notices (
  event_id text primary key,
  partner text not null,
  event text not null
);
`;
