import { quoteSchema } from "@heliograph/runtime";
import type pg from "pg";
import { callbacksSchema } from "../callbacks/reactor.ts";
import { receiptsReactor } from "../reactor.ts";

export type WaitingReports = {
  /** Messages that have receipts, and are not far enough for them. */
  readonly receipts: number;
  /** Reports on messages that no gateway is known to have sent. */
  readonly callbacks: number;
  /** When the first of all these is given up, epoch ms; null where nothing waits. */
  readonly givenUpAtMs: number | null;
};

/** What providers reported and no message has taken yet. Read from outside of the service. */
export async function waitingReports(pool: pg.Pool): Promise<WaitingReports> {
  const parked = (schema: string): string => `${quoteSchema(schema)}.parked`;
  const { rows } = await pool.query<WaitingReports>(
    `select (select count(*)::float8 from ${parked(receiptsReactor.schema)}) as receipts,
      (select count(*)::float8 from ${parked(callbacksSchema)}) as callbacks,
      (select extract(epoch from min(expires_at))::float8 * 1000 from
        (select expires_at from ${parked(receiptsReactor.schema)} union all select expires_at from ${parked(callbacksSchema)}) w) as "givenUpAtMs"`,
  );
  return rows[0]!;
}
