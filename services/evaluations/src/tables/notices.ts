import type pg from "pg";
import type { NoticeKind } from "../store.ts";

export type Notice = {
  readonly id: string;
  readonly evaluation_id: string;
  readonly kind: NoticeKind;
  readonly tries: number;
  readonly last: boolean;
};

/** Takes the notice that is due and was due first; nobody else gets it for so long. `last`: it is not tried again. */
export async function takeNotice(pool: pg.Pool, leaseSeconds: number): Promise<Notice | undefined> {
  const { rows } = await pool.query<Notice>({
    name: "evaluation_desk.take_notice",
    text: `update evaluation_desk.notices set tries = tries + 1, due_at = now() + make_interval(secs => $1)
      where id = (select id from evaluation_desk.notices where due_at <= now() order by given_up_at, id limit 1 for update skip locked)
      returning id, evaluation_id, kind, tries, given_up_at <= now() as last`,
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
