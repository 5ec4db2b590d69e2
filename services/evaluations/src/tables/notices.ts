import type pg from "pg";
import type { NoticeKind } from "../store.ts";

export type Notice = {
  readonly id: string;
  readonly evaluation_id: string;
  readonly kind: NoticeKind;
  readonly tries: number;
};

/** Takes the notice that is due and was due first; nobody else gets it for so long. */
export async function takeNotice(pool: pg.Pool, leaseSeconds: number): Promise<Notice | undefined> {
  const { rows } = await pool.query<Notice>({
    name: "evaluation_desk.take_notice",
    text: `update evaluation_desk.notices set tries = tries + 1, due_at = now() + make_interval(secs => $1)
      where id = (select id from evaluation_desk.notices where due_at <= now() order by first_due_at, id limit 1 for update skip locked)
      returning id, evaluation_id, kind, tries`,
    values: [leaseSeconds],
  });
  return rows[0];
}

export async function postponeNotice(pool: pg.Pool, id: string, seconds: number): Promise<void> {
  await pool.query({
    name: "evaluation_desk.postpone_notice",
    text: "update evaluation_desk.notices set due_at = now() + make_interval(secs => $2) where id = $1",
    values: [id, seconds],
  });
}

export async function dropNotice(pool: pg.Pool, id: string): Promise<void> {
  await pool.query({
    name: "evaluation_desk.drop_notice",
    text: "delete from evaluation_desk.notices where id = $1",
    values: [id],
  });
}

export type Untold = { readonly untold: number; readonly untold_since: Date | null };

/** What the team should know by now and does not. */
export async function countUntold(pool: pg.Pool): Promise<Untold> {
  const { rows } = await pool.query<Untold>({
    name: "evaluation_desk.untold",
    text: "select count(*)::int as untold, min(first_due_at) as untold_since from evaluation_desk.notices where first_due_at <= now()",
  });
  return rows[0]!;
}
