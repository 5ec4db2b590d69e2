import type { RecordedEvent } from "@heliograph/log";
import type { WritePart } from "@heliograph/runtime";
import type { Evaluation } from "./evolve.ts";

export type RowChange = {
  readonly position: bigint;
  readonly changes: Partial<Evaluation>;
};

/** Writes what events changed, by id; one that is new takes the position of its request. */
export const changeRows = (changed: ReadonlyMap<string, RowChange>): readonly WritePart[] =>
  changed.size === 0
    ? []
    : [
        {
          name: "evaluations_change",
          sql: `insert into {schema}.evaluations as e (id, position, data)
        select * from unnest($1::text[], $2::bigint[], $3::jsonb[])
        on conflict (id) do update set data = e.data || excluded.data`,
          values: [
            [...changed.keys()],
            [...changed.values()].map(({ position }) => position),
            [...changed.values()].map(({ changes }) => JSON.stringify(changes)),
          ],
        },
      ];

/** Remembers a request, by which later ones of the same person are known and the turns of the rota are counted. */
export const rememberRequest = (
  { data, position }: RecordedEvent<"EvaluationRequested">,
  duplicateOf: string | undefined,
): WritePart => ({
  name: "evaluation_request",
  sql: `insert into {schema}.requests (evaluation_id, address, position, requested_at, duplicate_of)
    values ($1::text, $2::text, $3::bigint, $4::timestamptz, $5::text) on conflict do nothing`,
  values: [data.evaluation_id, data.address, position, data.requested_at, duplicateOf ?? null],
});

export const addAccess = (sha256: string, evaluationId: string, expiresAt: Date): WritePart => ({
  name: "evaluation_access",
  sql: `insert into {schema}.access (sha256, evaluation_id, expires_at) values ($1::text, $2::text, $3::timestamptz) on conflict do nothing`,
  values: [sha256, evaluationId, expiresAt],
});

/** What the team is to be told, and when at the earliest. Of a kind an evaluation has one; it waits until it is told, or nobody needs it any more. */
export type NewNotice = {
  readonly id: string;
  readonly evaluationId: string;
  readonly kind: NoticeKind;
  readonly dueAt: Date;
};
/** A request; half of the time of the promise is gone; an hour is left. */
export const noticeKinds = ["requested", "half", "last_hour"] as const;
export type NoticeKind = (typeof noticeKinds)[number];

export const addNotices = (notices: readonly NewNotice[]): WritePart => ({
  name: "evaluation_notices",
  sql: `insert into {schema}.notices (id, evaluation_id, kind, due_at, first_due_at)
    select id, evaluation, kind, due, due
    from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) as t(id, evaluation, kind, due) on conflict do nothing`,
  values: [
    notices.map(({ id }) => id),
    notices.map(({ evaluationId }) => evaluationId),
    notices.map(({ kind }) => kind),
    notices.map(({ dueAt }) => dueAt),
  ],
});

/** An evaluation that is erased: the team is told nothing more, no link shows a key, and another request of the same person is a new one. */
export const forgetVisitor = (evaluationId: string): readonly WritePart[] =>
  [
    [
      "evaluation_forget_address",
      "update {schema}.requests set address = '' where evaluation_id = $1",
    ],
    ["evaluation_forget_notices", "delete from {schema}.notices where evaluation_id = $1"],
    ["evaluation_forget_access", "delete from {schema}.access where evaluation_id = $1"],
  ].map(([name, sql]) => ({ name: name!, sql: sql!, values: [evaluationId] }));
