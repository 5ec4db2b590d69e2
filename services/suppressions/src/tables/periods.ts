import type { Channel, EventData } from "@heliograph/contracts";
import type pg from "pg";

/** Periods for lists. What is sent is held against the streams, not against this. `to` and the evidence's text are tokens. */
export const periodsDdl = `
create table if not exists {schema}.periods (
  id text primary key,
  partner text not null,
  position bigint not null,
  name text not null,
  channel text not null,
  recipient text not null,
  applies_to text not null,
  reason text not null,
  evidence text not null, -- JSON
  started_at text not null,
  ended_at text
) with (fillfactor = 80);
create index if not exists periods_partner on {schema}.periods (partner, position);
create index if not exists periods_name on {schema}.periods (name, position);
create index if not exists periods_active on {schema}.periods (partner, position) where ended_at is null;
`;

export type PeriodRow = {
  /** What a cursor is made of. */
  readonly position: string;
  readonly id: string;
  readonly channel: Channel;
  readonly to: string;
  readonly applies_to: "all" | "marketing";
  readonly reason: string;
  readonly evidence: EventData<"SuppressionStarted">["evidence"];
  readonly started_at: string;
  readonly ended_at: string | null;
};

/** The partner's periods, newest first: those before a position, or those nearest after it. `names` are those of one address, on each channel that it could be of. */
export async function listPeriods(
  pool: pg.Pool,
  query: {
    readonly partner: string;
    readonly limit: number;
    readonly before?: string;
    readonly after?: string;
    readonly channel?: Channel;
    readonly names?: readonly string[];
    readonly active?: boolean;
  },
): Promise<readonly PeriodRow[]> {
  const backwards = query.after !== undefined;
  const conditions = ["partner = $1"];
  const values: unknown[] = [query.partner, query.limit];
  const where = (value: unknown, condition: (parameter: string) => string): void => {
    if (value === undefined) return;
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  where(query.after ?? query.before, (at) => `position ${backwards ? ">" : "<"} ${at}::bigint`);
  where(query.channel, (channel) => `channel = ${channel}`);
  where(query.names, (names) => `name = any(${names}::text[])`);
  if (query.active !== undefined)
    conditions.push(`ended_at is ${query.active ? "null" : "not null"}`);
  const { rows } = await pool.query({
    text: `select position::text, id, channel, recipient as "to", applies_to, reason, evidence, started_at, ended_at
      from suppressions.periods where ${conditions.join(" and ")}
      order by periods.position ${backwards ? "" : "desc"} limit $2`,
    values,
  });
  const found = rows.map((row): PeriodRow => ({ ...row, evidence: JSON.parse(row.evidence) }));
  return backwards ? found.reverse() : found;
}
