import { type MessageStatus, statusRank, statuses } from "@heliograph/domain";
import type pg from "pg";
import { clockSkewMs, positionAt } from "./messages.ts";

/** The newest ones of a partner that an overview counts; some 100 ms of them. */
const mostCounted = 200_000;
const minuteMs = 60_000;

export type Counted = {
  /** In minutes since 1970 UTC: when the messages were made. */
  readonly minute: number;
  readonly status: MessageStatus;
  readonly messages: number;
};
export type MinuteCounts = {
  readonly counts: readonly Counted[];
  /** There were not more than are counted. */
  readonly complete: boolean;
  readonly asOf: bigint;
};

type Range = { readonly partner: string; readonly fromMs: number; readonly toMs: number };

const recent = `from (select position, id, created_at, status from messages.messages where partner = $1 and position >= $2 order by position desc limit ${mostCounted}) m`;
const inRange = "m.created_at >= $3 and m.created_at < $4";

/** A window of a partner's messages, to count in and to take examples from. */
export async function openWindow(pool: pg.Pool, { partner, fromMs, toMs }: Range) {
  const first = await positionAt(pool, partner, fromMs - clockSkewMs);
  const range = [partner, first, fromMs, toMs];
  return {
    async counts(): Promise<MinuteCounts> {
      const { rows } = await pool.query<{
        minute: number | null;
        status: number;
        messages: number;
        as_of: string | null;
      }>({
        name: "overview_minutes",
        // One pass: what lies outside the window is counted under no minute.
        text: `select t.*, (select position::text from messages.checkpoint where name = 'messages') as as_of from (
          select case when ${inRange} then (m.created_at / ${minuteMs})::int end as minute, m.status, count(*)::int as messages ${recent} group by 1, 2
          union all select null, 0, 0) t order by 1, 2`,
        values: range,
      });
      const looked = rows.reduce((sum, { messages }) => sum + messages, 0);
      return {
        counts: rows.flatMap(({ minute, status, messages }) =>
          minute === null ? [] : [{ minute, status: statuses[status]!, messages }],
        ),
        complete: looked < mostCounted,
        asOf: BigInt(rows[0]?.as_of ?? 0),
      };
    },
    /** The newest ones that have a status. */
    async newest(of: readonly MessageStatus[], most: number): Promise<readonly string[]> {
      const { rows } = await pool.query<{ id: string }>({
        name: "overview_newest",
        text: `select m.id ${recent} where ${inRange} and m.status = any($5::smallint[]) order by m.position desc limit $6`,
        values: [...range, of.map(statusRank), most],
      });
      return rows.map(({ id }) => id);
    },
  };
}
