import type { WritePart } from "@heliograph/runtime";

/** When a pending row was written, epoch ms by the clock of its writer. Rows of before have none. */
export const setAtDdl = `
alter table {schema}.deliveries add column if not exists set_at bigint;
`;

const [clocksDifferMs, writtenBesideMs] = [60_000, 1_000];

/** By how much the clock was set back, and when (by the clock as it is now) it was last looked at before that. */
export type SetBack = { readonly byMs: number; readonly lookedAt: number };

/**
 * What waits for these endpoints comes no later for a clock that was set back: rows written by the clock before. Over a restart nobody knows by how much it was (no `back`), and what was written ahead of
 * `now` waits anew.
 */
export const setBackPending = (
  endpointIds: readonly string[],
  now: number,
  back?: SetBack,
): WritePart => ({
  name: "set_back",
  sql: `update {schema}.deliveries set next_attempt_at = next_attempt_at - coalesce($3::bigint, set_at - $2::bigint), set_at = set_at - coalesce($3::bigint, set_at - $2::bigint)
    where endpoint_id = any($1::text[]) and status = 'pending' and next_attempt_at > $2::bigint and (set_at > $2::bigint + $5::bigint or coalesce(set_at, 0) < $4::bigint)`,
  values: [
    endpointIds,
    Math.floor(now),
    back === undefined ? null : Math.floor(back.byMs),
    Math.floor(back?.lookedAt ?? 0),
    // As of other machines, whose clocks differ; or of what is written in this moment.
    back === undefined ? clocksDifferMs : writtenBesideMs,
  ],
});
