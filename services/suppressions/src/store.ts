import type { RecordedEvent } from "@heliograph/log";
import type { WritePart } from "@heliograph/runtime";

export type PeriodEvent = RecordedEvent<"SuppressionStarted" | "SuppressionEnded">;

export type NewPeriod = RecordedEvent<"SuppressionStarted"> & { readonly endedAt: string | null };

export function insertPeriods(events: readonly NewPeriod[]): readonly WritePart[] {
  if (events.length === 0) return [];
  const column = (of: (event: NewPeriod) => unknown): unknown[] => events.map(of);
  return [
    {
      name: "suppressions_insert",
      sql: `insert into {schema}.periods (id, partner, position, name, channel, recipient, applies_to, reason, evidence, started_at, ended_at)
        select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])`,
      values: [
        column(({ data }) => data.suppression_id),
        column(({ metadata }) => metadata.partner),
        column(({ position }) => position),
        column(({ data }) => data.name),
        column(({ data }) => data.channel),
        column(({ data }) => data.to),
        column(({ data }) => data.applies_to),
        column(({ data }) => data.reason),
        column(({ data }) => JSON.stringify(data.evidence)),
        column(({ data }) => data.started_at),
        column(({ endedAt }) => endedAt),
      ],
    },
  ];
}

/** By id: when it ended. */
export const endPeriods = (ended: ReadonlyMap<string, string>): readonly WritePart[] =>
  ended.size === 0
    ? []
    : [
        {
          name: "suppressions_end",
          sql: `update {schema}.periods as p set ended_at = v.ended_at from unnest($1::text[], $2::text[]) as v(id, ended_at) where p.id = v.id`,
          values: [[...ended.keys()], [...ended.values()]],
        },
      ];
