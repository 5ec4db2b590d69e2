import type { EventLog } from "@heliograph/log";
import { openDirectory, type Directory } from "@heliograph/platform";
import {
  databaseConfig,
  messageOf,
  openLog,
  openPool,
  type Logger,
  type Server,
  type Settings,
} from "@heliograph/runtime";
import type pg from "pg";
import { sayingOf } from "../error.ts";
import { lookAtArchive } from "./archive.ts";
import { lookAtCertificates } from "./certificates.ts";
import type { Check, Finding, Namespace, OpenPlace, Place } from "./check.ts";
import { lookAtConsumers, lookAtDeadLetters } from "./consumers.ts";
import { lookAtDatabases, lookAtDisk } from "./disk.ts";
import { lookAtKafka } from "./kafka.ts";
import { lookAtLog } from "./log-sample.ts";
import { reportOf, type Report } from "./report.ts";
import { lookAtClock, lookAtMasterKey } from "./small.ts";
import { isOfThisRelease, lookAtVersions } from "./versions.ts";
import { lookAtBreakers, lookAtEndpoints, lookAtReports, lookAtTimers } from "./waiting.ts";
import { lookAtWallets } from "./wallets.ts";

/** A check that takes longer has met something that hangs, which is a finding. */
const checkMs = 20_000;
/** A statement of a check; shorter, so that what took too long is what is told. */
const statementMs = 15_000;
const endingMs = 2_000;
const poolSize = 4;

/** In the order of the page. */
const checks: readonly Check[] = [
  { name: "versions", needs: "database", look: lookAtVersions },
  { name: "disk", needs: "nothing", look: lookAtDisk },
  { name: "databases", needs: "database", look: lookAtDatabases },
  { name: "clock", needs: "database", look: lookAtClock },
  { name: "master key", needs: "database", look: lookAtMasterKey },
  { name: "kafka", needs: "nothing", look: lookAtKafka },
  { name: "consumers", needs: "this release", look: lookAtConsumers },
  { name: "dead letters", needs: "database", look: lookAtDeadLetters },
  { name: "overdue", needs: "database", look: lookAtTimers },
  { name: "reports", needs: "database", look: lookAtReports },
  { name: "endpoints", needs: "database", look: lookAtEndpoints },
  { name: "gateways", needs: "this release", look: lookAtBreakers },
  { name: "certificates", needs: "this release", look: lookAtCertificates },
  { name: "wallets", needs: "this release", look: lookAtWallets },
  { name: "archive", needs: "this release", look: lookAtArchive },
  { name: "log", needs: "this release", look: lookAtLog },
];

export type DoctorTarget = {
  readonly settings: Settings;
  readonly logger: Logger;
  /** Or why there is none. */
  readonly server: Server | Error;
};

/** Looks at an installation, running or stopped, and changes nothing of it. Never throws for what it finds. */
export async function examine({ settings, logger, server }: DoctorTarget): Promise<Report> {
  const now = Date.now();
  const place: Place = { settings, logger, now };
  const opened = server instanceof Error ? undefined : openPlace(place, server);
  try {
    const away = await reasonAway(opened, server);
    const current = away === undefined && (await isOfThisRelease(opened!.place).catch(() => false));
    const found = await Promise.all(
      checks.map(async (check): Promise<Report["checks"][number]> => {
        const { name } = check;
        if (check.needs === "nothing") return { name, ...(await inTime(check.look, place)) };
        if (away !== undefined)
          return { name, status: "skipped", summary: "the database does not answer" };
        if (check.needs === "this release" && !current)
          return { name, status: "skipped", summary: "the database is at another release" };
        return { name, ...(await inTime(check.look, opened!.place)) };
      }),
    );
    const first: Report["checks"][number] =
      away === undefined
        ? { name: "database", status: "ok", summary: "PostgreSQL answers" }
        : { name: "database", status: "failed", summary: away };
    return reportOf(now, [first, ...found]);
  } finally {
    await opened?.close();
  }
}

async function reasonAway(
  opened: ReturnType<typeof openPlace> | undefined,
  server: Server | Error,
): Promise<string | undefined> {
  if (opened === undefined) return sayingOf(server);
  try {
    await opened.place.pool("platform").query("select 1");
    return undefined;
  } catch (error) {
    return sayingOf(error);
  }
}

/** What a check finds; that it fails, or does not come to an end, is a finding too. */
async function inTime<P>(
  look: (place: P, signal: AbortSignal) => Promise<Finding>,
  place: P,
): Promise<Finding> {
  const ending = new AbortController();
  const late = Promise.withResolvers<Finding>();
  // First it is asked to come to an end with what it has.
  const timers = [
    setTimeout(() => ending.abort(), checkMs),
    setTimeout(() => late.resolve(tooLate), checkMs + endingMs),
  ];
  try {
    return await Promise.race([look(place, ending.signal), late.promise]);
  } catch (error) {
    return { status: "failed", summary: `cannot be looked at: ${messageOf(error).split("\n")[0]}` };
  } finally {
    timers.forEach(clearTimeout);
  }
}
const tooLate: Finding = { status: "failed", summary: `not done within ${checkMs / 1_000} s` };

function openPlace(place: Place, server: Server) {
  const { settings, logger } = place;
  const pools = new Map<Namespace, pg.Pool>();
  const logs = new Map<Namespace, Promise<EventLog>>();
  let directory: Promise<Directory> | undefined;
  const log = (namespace: Namespace): Promise<EventLog> => {
    const known = logs.get(namespace) ?? openLog(settings, server, namespace, logger);
    logs.set(namespace, known);
    return known;
  };
  const open: OpenPlace = {
    ...place,
    server,
    pool(namespace) {
      const known = pools.get(namespace);
      if (known !== undefined) return known;
      const named = { name: "doctor", max: poolSize, durable: true, patienceMs: statementMs };
      // The server itself refuses whatever would change something.
      const config = { ...databaseConfig(server, namespace), options: readOnly };
      const pool = openPool(config, named, logger);
      pools.set(namespace, pool);
      return pool;
    },
    log,
    directory: () =>
      (directory ??= log("platform").then((events) => openDirectory(events, () => undefined))),
  };
  return {
    place: open,
    async close(): Promise<void> {
      await directory?.then(
        (known) => known.close(),
        () => undefined,
      );
      for (const opened of logs.values())
        await opened.then(
          (events) => events.close(),
          () => undefined,
        );
      for (const pool of pools.values()) await pool.end();
    },
  };
}
const readOnly = "-c default_transaction_read_only=on";
