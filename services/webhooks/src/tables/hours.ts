import { type Sketch, writeSketch } from "@heliograph/domain";
import type { WritePart } from "@heliograph/runtime";
import { numbers } from "../store.ts";

/** What an endpoint's attempts of an hour came to, as far as this run has made them. */
export type HourRow = {
  readonly endpointId: string;
  /** Since 1970 UTC. */
  readonly hour: number;
  readonly part: number;
  readonly outcomes: Sketch;
  readonly durations: Sketch;
};

/** Counts of hours as they are now. */
export function writeHours(rows: readonly HourRow[]): WritePart {
  return {
    name: "hours",
    sql: `insert into {schema}.hours (endpoint_id, hour, part, outcomes, durations)
      select * from unnest($1::text[], $2::int[], $3::bigint[], $4::bytea[], $5::bytea[])
      on conflict (endpoint_id, hour, part) do update set outcomes = excluded.outcomes, durations = excluded.durations`,
    values: [
      rows.map((row) => row.endpointId),
      numbers(rows.map((row) => row.hour)),
      numbers(rows.map((row) => row.part)),
      rows.map((row) => writeSketch(row.outcomes)),
      rows.map((row) => writeSketch(row.durations)),
    ],
  };
}

export const forgetHours = (endpointIds: readonly string[], before: number): WritePart => ({
  name: "forget_hours",
  sql: "delete from {schema}.hours where endpoint_id = any($1::text[]) and hour < $2",
  values: [endpointIds, before],
});
