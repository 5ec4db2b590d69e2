import { randomUUID } from "node:crypto";
import { newId, type Environment } from "@heliograph/contracts";
import { operator } from "@heliograph/platform";
import { prepareTables } from "@heliograph/runtime";
import { auditTables, writeAudit } from "../../services/control/src/index.ts";
import { actor } from "./control-plane.ts";
import type { Target } from "./target.ts";

/** As the API would answer. */
const [done, failed] = [200, 500];

/**
 * Writes what a command changes into the audit of its environment, where `GET /admin/audit` shows it beside what came through the API. The operating system knows who the person was; here it is `ops`.
 */
export async function audited(
  target: Target,
  environment: Environment,
  { action, target: about }: { readonly action: string; readonly target: string },
  work: () => Promise<boolean>,
): Promise<boolean> {
  const record = async (outcome: number): Promise<void> => {
    const pool = await target.pool(environment);
    await prepareTables(pool, [auditTables]);
    const who = { partner: operator.partner_id, actor, ip: "", requestId: newId("req") };
    await writeAudit(pool, [
      {
        entry: randomUUID(),
        at: Date.now(),
        environment,
        action: `ops ${action}`,
        target: about,
        outcome,
        count: 1,
        ...who,
      },
    ]);
  };
  try {
    const result = await work();
    await record(done);
    return result;
  } catch (error) {
    // Where the database is the trouble, the trouble is what has to be said.
    await record(failed).catch(() => undefined);
    throw error;
  }
}
