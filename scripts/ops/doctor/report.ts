import { styleText } from "node:util";
import { statuses, worst, type Finding, type Status } from "./check.ts";

export type Report = {
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly status: Status;
  readonly checks: readonly ({ readonly name: string } & Finding)[];
};

export const reportOf = (at: number, checks: Report["checks"]): Report => ({
  at: new Date(at).toISOString(),
  status: worst(checks.map(({ status }) => status)),
  checks,
});

/** Something failed: 1. A warning alone is for people, and wakes nobody. */
export const exitCodeOf = ({ status }: Report): number => (status === "failed" ? 1 : 0);

const marks: Readonly<Record<Status, string>> = {
  ok: "✓",
  warning: "!",
  failed: "✗",
  skipped: "-",
};
const colours = { ok: "green", warning: "yellow", failed: "red", skipped: "gray" } as const;

/** The page as a person reads it. Of what is well, only the line is shown. */
export function textOf({ at, checks }: Report): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const stream = process.stdout;
  const lines = checks.flatMap(({ name, status, summary, details = [] }) => [
    `${styleText(colours[status], marks[status], { stream })} ${name.padEnd(width)}  ${summary}`,
    ...(status === "ok" || status === "skipped" ? [] : details).map(
      (detail) => `  ${" ".repeat(width)}  ${detail}`,
    ),
  ]);
  const sums = statuses
    .map((status) => [checks.filter((check) => check.status === status).length, status] as const)
    .filter(([number]) => number > 0)
    .map(([number, status]) => `${number} ${status}`);
  return [`Heliograph, ${at}`, "", ...lines, "", sums.join(", ")].join("\n");
}
