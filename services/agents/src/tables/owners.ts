import { inTransaction } from "@heliograph/runtime";
import type pg from "pg";

/** Runs the work while nobody else changes who owns the partner. */
export const holdingOwners = <Result>(
  pool: pg.Pool,
  partner: string,
  work: () => Promise<Result>,
): Promise<Result> =>
  inTransaction(pool, async (client) => {
    await client.query("select pg_advisory_xact_lock(hashtextextended('owners ' || $1, 0))", [
      partner,
    ]);
    return work();
  });
