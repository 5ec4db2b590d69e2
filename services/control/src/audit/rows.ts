import type { Environment } from "@heliograph/contracts";
import type pg from "pg";
import { readAudit } from "../tables/audit.ts";
import type { Source } from "./entry.ts";

/** What stands in the audit's own table. */
export const rowsOf = (environment: Environment, pool: pg.Pool): Source => ({
  name: environment,
  async read(filter, range) {
    const rows = await readAudit(pool, filter, range);
    return {
      entries: rows.map(({ id, time, changes, ...row }) => ({
        ...row,
        key: id,
        id: `${environment}-${id}`,
        at: time,
        environment,
        changes: changes === null ? null : (JSON.parse(changes) as unknown),
      })),
    };
  },
});
