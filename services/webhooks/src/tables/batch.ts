/**
 * The request that a pending delivery goes with, where its endpoint takes batches. It is written before the request is sent for the first time: a batch is the same deliveries under the same
 * `webhook-id` at every attempt, whatever crashes.
 */
export const batchDdl = `
alter table {schema}.deliveries add column batch text;
create index deliveries_batch on {schema}.deliveries (batch) where status = 'pending' and batch is not null;
`;
