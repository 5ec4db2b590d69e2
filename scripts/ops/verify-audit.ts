import { environments, type Environment } from "@heliograph/contracts";
import type { LogFlaw, VerifiedLog } from "@heliograph/log";
import { openLog, prepareTables } from "@heliograph/runtime";
import {
  auditTables,
  type AuditedLog,
  type Source,
  DerivedCheck,
  entriesBetween,
  fromLog,
  logsOf,
  verifyAudit,
  type VerifiedAudit,
} from "../../services/control/src/index.ts";
import type { Anchor } from "./anchor.ts";
import { OpsError } from "./error.ts";
import type { Target } from "./target.ts";
import { verifyNamespace } from "./verify-log.ts";

type Request = {
  readonly only: Environment | undefined;
  /** Where an earlier run had come to in the environment's log. */
  readonly from: Anchor | undefined;
  readonly signal: AbortSignal;
};

/** Verifies the audit of one environment after the other, and what it is read from, and says what each came to; false at the first flaw. */
export async function verifyAudits(target: Target, request: Request): Promise<boolean> {
  if (request.from !== undefined && request.only === undefined)
    throw new OpsError("--from belongs to one environment: say which with --env");
  const { settings, server, logger } = target;
  const open = (name: Environment | "platform") => openLog(settings, server, name, logger);
  const platformLog = await open("platform");
  try {
    for (const environment of request.only === undefined ? environments : [request.only]) {
      const log = await open(environment);
      try {
        const pool = await target.pool(environment);
        await prepareTables(pool, [auditTables]);
        const audit = await verifyAudit(pool, platformLog, environment, Date.now());
        say(`${environment}: ${rowsText(audit)}`);
        if (audit.flaw !== undefined) return false;
        for (const each of logsOf(environment, log, platformLog))
          if (!(await verifyDerived(target, environment, each, audit, request))) return false;
      } finally {
        await log.close();
      }
    }
    return true;
  } finally {
    await platformLog.close();
  }
}

function rowsText({ flaw, rows, days, anchors }: VerifiedAudit): string {
  const sound = `${count(rows)} rows of ${days} ${days === 1 ? "day" : "days"}`;
  return flaw === undefined
    ? `${sound} are whole, and so are ${anchors} anchors in the platform's log`
    : `FLAW: ${flaw.day}, row ${flaw.number} ${flaw.what} (${sound} are sound)`;
}

/** What is read from a log: that the log is as it was, and that each row that follows from it is served, and no other. */
async function verifyDerived(
  target: Target,
  environment: Environment,
  { name, namespace, log }: AuditedLog,
  { seals }: VerifiedAudit,
  { from, signal }: Request,
): Promise<boolean> {
  const source = fromLog(name, environment, log);
  // The platform's log is of a few events, and read whole.
  const start = namespace === environment ? from : undefined;
  const check = new DerivedCheck(environment, source, start?.position ?? 0n);
  const verified = await verifyNamespace(target, namespace, {
    // Of what was moved from PostgreSQL to a log without a chain there may be some.
    seals: target.settings.log === "eventstoredb" ? [] : seals.of(name),
    from: start,
    onEvents: check.offer,
    signal,
  });
  const { flaw, position } = verified;
  if (flaw !== undefined) {
    const sound = `up to position ${position} all is sound`;
    say(
      `${name}: FLAW at position ${flaw.position}: ${flaw.what}; ${await rowsIn(source, flaw)} (${sound})`,
    );
    return false;
  }
  await check.end();
  for (const text of check.named) say(`${name}: FLAW: ${text}`);
  if (check.differences > check.named.length)
    say(`${name}: FLAW: ${count(check.differences - check.named.length)} more rows differ`);
  if (check.differences > 0) return false;
  say(`${name}: ${derivedText(check.rows, verified)}`);
  return true;
}

const derivedText = (rows: number, { events, position, hash, compared }: VerifiedLog): string =>
  `${count(rows)} rows are served as they follow from ${count(events)} events; ${
    hash === undefined
      ? "EventStoreDB keeps no chain of hashes, so what was changed there with care is not seen"
      : `these are whole, and as rows of the audit had them at ${count(compared)} positions; anchor ${position}:${hash}`
  }`;

const mostNamed = 20;

/** Which rows are read from where the log is not what it was. */
async function rowsIn(source: Source, { position, through = position }: LogFlaw): Promise<string> {
  const rows = await entriesBetween(source, position - 1n, through, mostNamed + 1);
  if (rows.length === 0) return "no row is read from there";
  if (rows.length > mostNamed) return `more than ${mostNamed} rows are read from there`;
  return `read from there: ${rows.map(({ id, action }) => `row ${id} (${action})`).join(", ")}`;
}

const count = (value: number): string => value.toLocaleString("en");
const say = (text: string): void => void process.stdout.write(`${text}\n`);
