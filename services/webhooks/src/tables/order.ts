/**
 * The subject of a delivery to an endpoint that keeps the order of each: what waits of it behind another one is pending without `next_attempt_at`. Others have none, and no part in the index.
 */
export const orderDdl = `
alter table {schema}.deliveries add column subject text;
create index deliveries_subject on {schema}.deliveries (endpoint_id, subject, position) where status = 'pending' and subject is not null;
`;
