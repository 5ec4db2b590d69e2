import { environments, type Environment } from "@heliograph/contracts";
import { openLog, prepareTables } from "@heliograph/runtime";
import { auditTables, verifyAudit } from "../../services/control/src/index.ts";
import type { Target } from "./target.ts";

/** Verifies the audit of one environment after the other and says what each came to; false at the first flaw. */
export async function verifyAudits(
  target: Target,
  only: Environment | undefined,
): Promise<boolean> {
  const { settings, server, logger } = target;
  const platformLog = await openLog(settings, server, "platform", logger);
  try {
    for (const environment of only === undefined ? environments : [only]) {
      const pool = await target.pool(environment);
      await prepareTables(pool, [auditTables]);
      const { flaw, rows, days, anchors } = await verifyAudit(
        pool,
        platformLog,
        environment,
        Date.now(),
      );
      const sound = `${rows.toLocaleString("en")} rows of ${days} ${days === 1 ? "day" : "days"}`;
      if (flaw !== undefined) {
        say(
          `${environment}: FLAW: ${flaw.day}, row ${flaw.number} ${flaw.what} (${sound} are sound)`,
        );
        return false;
      }
      say(
        `${environment}: ${sound} are whole, and so are ${anchors} anchors in the platform's log`,
      );
    }
    return true;
  } finally {
    await platformLog.close();
  }
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);
