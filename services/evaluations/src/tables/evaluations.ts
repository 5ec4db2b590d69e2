import type { Page } from "@heliograph/api";
import type pg from "pg";
import type { Evaluation, Status } from "../evolve.ts";

/** In the platform's database: what lists and the report are read from. `data` is the fold of the stream, sealed as it is there. */
export const evaluationsDdl = `
create table if not exists {schema}.evaluations (
  id text primary key,
  position bigint not null unique,
  data jsonb not null,
  status text not null generated always as (case
    when data ? 'closed_at' then 'closed'
    when data ? 'converted_at' then 'converted'
    when data ? 'contacted_at' then 'contacted'
    when data ? 'provisioned_at' then 'provisioned'
    else 'requested' end) stored
);
create index if not exists evaluations_status on {schema}.evaluations (status, position);`;

export type EvaluationRow = { readonly position: string; readonly data: Evaluation };

/** One page, newest first, with one more row where there is one. */
export async function listEvaluations(
  pool: pg.Pool,
  page: Page,
  status: readonly Status[] | undefined,
): Promise<readonly EvaluationRow[]> {
  const backwards = page.before !== undefined;
  const { rows } = await pool.query<EvaluationRow>({
    name: `evaluations.list_${backwards}`,
    text: `select e.position::text, data from evaluations.evaluations as e
      where ($1::text[] is null or status = any($1)) and ($2::bigint is null or e.position ${backwards ? ">" : "<"} $2)
      order by e.position ${backwards ? "asc" : "desc"} limit $3`,
    values: [status ?? null, page.before ?? page.after ?? null, page.limit + 1],
  });
  return backwards ? rows.toReversed() : rows;
}

export type Kept = {
  readonly requests: number;
  readonly kept: number;
  readonly broken: number;
  readonly open: number;
  readonly closed_unanswered: number;
};

/** How the promise was kept with requests of a time (inclusive, exclusive; RFC 3339). Those that somebody made twice count once. */
export async function countKept(
  pool: pg.Pool,
  { from, to, now }: { readonly from: string; readonly to: string; readonly now: string },
): Promise<Kept> {
  const { rows } = await pool.query<Kept>({
    name: "evaluations.kept",
    text: `select count(*)::int as requests,
        count(*) filter (where contacted <= promised)::int as kept,
        count(*) filter (where contacted > promised or (contacted is null and coalesce(closed, $3::timestamptz) > promised))::int as broken,
        count(*) filter (where contacted is null and closed is null and $3::timestamptz <= promised)::int as open,
        count(*) filter (where contacted is null and closed <= promised)::int as closed_unanswered
      from (select (data->>'promised_by')::timestamptz as promised, (data->>'contacted_at')::timestamptz as contacted, (data->>'closed_at')::timestamptz as closed
        from evaluations.evaluations
        where not data ? 'duplicate_of' and (data->>'requested_at')::timestamptz >= $1::timestamptz and (data->>'requested_at')::timestamptz < $2::timestamptz) as e`,
    values: [from, to, now],
  });
  return rows[0]!;
}
