import type { Environment } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import type { Directory } from "@heliograph/platform";
import type { Logger, Server, Settings } from "@heliograph/runtime";
import type pg from "pg";

/** `warning`: somebody should look before long. `failed`: something is wrong now. `skipped`: there is nothing to look at here, or no way to. */
export type Status = "ok" | "warning" | "failed" | "skipped";
export const statuses: readonly Status[] = ["ok", "warning", "failed", "skipped"];

export type Finding = {
  readonly status: Status;
  /** One line. */
  readonly summary: string;
  /** What there is to tell of single things; the first of many. */
  readonly details?: readonly string[];
};
export type Namespace = Environment | "platform";

/** The installation as a check sees it. Nothing of it writes. */
export type Place = {
  readonly settings: Settings;
  readonly logger: Logger;
  /** When the run began, epoch ms. */
  readonly now: number;
};
/** And where there is a database that answers. */
export type OpenPlace = Place & {
  readonly server: Server;
  pool(namespace: Namespace): pg.Pool;
  /** Opened once it is asked for. */
  log(namespace: Namespace): Promise<EventLog>;
  directory(): Promise<Directory>;
};

type Look<P> = (place: P, signal: AbortSignal) => Promise<Finding>;
/** `database`: whether the check needs one. `thisRelease`: whether the database has to be at the migrations of this release, since whoever opens a log migrates it. */
export type Check =
  | { readonly name: string; readonly needs: "nothing"; readonly look: Look<Place> }
  | {
      readonly name: string;
      readonly needs: "database" | "this release";
      readonly look: Look<OpenPlace>;
    };

const worse: Readonly<Record<Status, number>> = { skipped: 0, ok: 1, warning: 2, failed: 3 };
/** The worst of several. */
export const worst = (given: readonly Status[]): Status =>
  given.reduce((found, each) => (worse[each] > worse[found] ? each : found), "skipped");

/** Of many things a page names the first. */
const mostDetails = 10;
export const bounded = (details: readonly string[]): readonly string[] =>
  details.length <= mostDetails
    ? details
    : [...details.slice(0, mostDetails), `and ${count(details.length - mostDetails)} more`];

/** One finding of several about the same thing: the worst of them counts, and what is not well comes first. */
export function together(
  summary: string,
  parts: readonly { readonly status: Status; readonly text: string }[],
): Finding {
  const sorted = parts.toSorted((one, other) => worse[other.status] - worse[one.status]);
  const details = sorted.map(({ status, text }) => (status === "ok" ? text : `${status}: ${text}`));
  return { status: worst(parts.map(({ status }) => status)), summary, details: bounded(details) };
}

/** SQLSTATE of a schema, a table or a column that is not there: the service has never run here, or not in this release. */
const missing = new Set(["3F000", "42P01", "42703"]);
/** What a read finds; undefined where its service has never run. */
export async function unlessMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (missing.has((error as { code?: string }).code ?? "")) return undefined;
    throw error;
  }
}

export const count = (value: number): string => Math.round(value).toLocaleString("en");
/** How long something takes or has lasted, in its largest unit. */
export function duration(ms: number): string {
  for (const [unit, size] of units) if (ms >= 2 * size) return `${Math.floor(ms / size)} ${unit}`;
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} seconds`;
}
const units = [
  ["days", 86_400_000],
  ["hours", 3_600_000],
  ["minutes", 60_000],
] as const;
