/** The trace that the event of a delivery is part of: its attempts tell the receiver, whenever they are made. */
export const tracesDdl = `
alter table {schema}.deliveries add column traceparent text;
`;
