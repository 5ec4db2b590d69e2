import type { EventLog } from "@heliograph/log";
import type { Environment } from "@heliograph/contracts";
import type pg from "pg";
import {
  type AuditSnapshot,
  auditDays,
  auditRowsOf,
  auditStrangers,
  inAuditSnapshot,
} from "../tables/audit.ts";
import { KnownSeals } from "./sealed.ts";
import { type Anchor, DayCheck, type DayHead, type Flaw } from "./chain.ts";

export type VerifiedAudit = {
  readonly rows: number;
  readonly days: number;
  readonly anchors: number;
  /** What its rows say the logs had come to. */
  readonly seals: KnownSeals;
  readonly flaw?: Flaw;
};

/**
 * Checks an environment's audit: each row's hash over the values as they are stored, their numbers, what each day came to, that each day begins with the hash of the one before it, and that all
 * of it is what the platform log was told meanwhile. Ends at the first flaw. Days whose rows are too old to be kept are known by what they came to.
 */
export async function verifyAudit(
  pool: pg.Pool,
  platformLog: EventLog,
  environment: Environment,
  nowMs: number,
): Promise<VerifiedAudit> {
  const anchors = await anchorsOf(platformLog, environment);
  // Read after them, and of one moment: what is written meanwhile is no flaw.
  return inAuditSnapshot(pool, async (snapshot) => {
    const days = await auditDays(snapshot);
    const found = {
      rows: 0,
      days: days.length,
      anchors: [...anchors.values()].flat().length,
      seals: new KnownSeals(),
    };
    const flawIn = await firstFlaw(snapshot, days, anchors, nowMs, found);
    if (flawIn !== undefined) return { ...found, flaw: flawIn };
    const [stranger] = await auditStrangers(snapshot);
    if (stranger === undefined) return found;
    const what = "is the id of a row that is not in the chain";
    return { ...found, flaw: { day: stranger.day ?? "no day", number: Number(stranger.id), what } };
  });
}

async function anchorsOf(
  log: EventLog,
  environment: Environment,
): Promise<ReadonlyMap<string, readonly Anchor[]>> {
  const anchors = new Map<string, Anchor[]>();
  for await (const { type, data } of log.scanStream(`audit-${environment}`)) {
    if (type !== "AuditAnchored") continue;
    anchors.set(data.day, [...(anchors.get(data.day) ?? []), data]);
  }
  return anchors;
}

type Found = { rows: number; readonly seals: KnownSeals };

async function firstFlaw(
  snapshot: AuditSnapshot,
  days: readonly DayHead[],
  anchors: ReadonlyMap<string, readonly Anchor[]>,
  nowMs: number,
  found: Found,
): Promise<Flaw | undefined> {
  const known = new Set(days.map(({ day }) => day));
  const missing = [...anchors.keys()].filter((day) => !known.has(day)).toSorted()[0];
  let previous = days[0]?.previous ?? "";
  for (const head of days) {
    if (missing !== undefined && missing < head.day) break;
    if (head.previous !== previous)
      return { day: head.day, number: 1, what: "does not follow the last row of the day before" };
    previous = head.hash;
    const flaw = await flawOfDay(snapshot, head, anchors.get(head.day) ?? [], nowMs, found);
    if (flaw !== undefined) return flaw;
  }
  return missing === undefined
    ? undefined
    : {
        day: missing,
        number: 1,
        what: "is missing, with the whole day, of which the platform log was told",
      };
}

const keptMs = 399 * 86_400_000;

async function flawOfDay(
  snapshot: AuditSnapshot,
  head: DayHead,
  anchors: readonly Anchor[],
  nowMs: number,
  found: Found,
): Promise<Flaw | undefined> {
  const check = new DayCheck(head, anchors);
  let page = await auditRowsOf(snapshot, head.day, 0);
  if (page.length === 0 && Date.parse(head.day) < nowMs - keptMs) return undefined;
  while (page.length > 0) {
    for (const { hash, ...row } of page) {
      const flaw = check.next(row, hash);
      if (flaw !== undefined) return flaw;
      found.rows++;
      found.seals.take(row);
    }
    page = await auditRowsOf(snapshot, head.day, page.at(-1)!.number);
  }
  return check.end();
}
