import { ListQuery, TimeInput, listed, notValid, queryInt, timeOf } from "@heliograph/api";
import { z } from "zod";
import { type Group, groups } from "../tables/usage.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const defaultDays = 30;
/** A year and a day, so that a whole leap year fits; days are few rows. */
const maxDays = 366;
/** Hours are 24 times as many rows: a month of them is what 30 days' days of two years are. */
const maxHourDays = 31;
/** As many rows as a page and a file may have: some MB each, and nobody reads more at once. */
const maxRows = 10_000;
const defaultRows = { json: 1_000, csv: maxRows } as const;

const date = /^\d{4}-\d{2}-\d{2}$/;
const Instant = z
  .union([
    z
      .string()
      .regex(date)
      .refine((text) => timeOf(`${text}T00:00:00Z`) !== undefined, "must be a day that there is"),
    TimeInput,
  ])
  .meta({ override: { type: "string" } });

export const Query = ListQuery.pick({ after: true, cursor: true }).extend({
  from: Instant.optional().meta({
    description:
      "A day, or a time, which is rounded down to its hour. Default: 29 days before the day of `to`.",
    example: "2026-05-01",
  }),
  to: Instant.optional().meta({
    description:
      "A day, which is included, or a time, which is rounded up to its hour. Default: today.",
    example: "2026-05-31",
  }),
  group_by: listed(groups).optional().meta({
    description: "One or more, separated by commas; `day` when left out.",
    example: "day,channel",
  }),
  format: z.enum(["json", "csv"]).optional().meta({ description: "That of the answer; json." }),
  limit: queryInt(1, maxRows).optional(),
});
export type Query = z.infer<typeof Query>;

/** A range of time as the rollups have it: whole hours. */
export type Range = { readonly fromMs: number; readonly toMs: number };

const floorTo = (time: number, step: number): number => Math.floor(time / step) * step;
const ceilTo = (time: number, step: number): number => Math.ceil(time / step) * step;

/** Rounded outward, so that whatever was asked for is in. Throws `invalid_request` for an empty range, or one that is too long for its groups. */
export function rangeOf({ from, to }: Query, by: readonly Group[], now: number): Range {
  const startOf = (text: string): number =>
    date.test(text) ? timeOf(`${text}T00:00:00Z`)! : floorTo(timeOf(text)!, hourMs);
  const toMs =
    to === undefined
      ? floorTo(now, dayMs) + dayMs
      : date.test(to)
        ? startOf(to) + dayMs
        : ceilTo(timeOf(to)!, hourMs);
  const fromMs = from === undefined ? ceilTo(toMs, dayMs) - defaultDays * dayMs : startOf(from);
  const wrong = (path: "from" | "to", code: string, message: string): never => {
    throw notValid("query", [{ path, code, message }]);
  };
  if (toMs <= fromMs)
    wrong(to === undefined ? "from" : "to", "invalid_range", "must be later than from");
  const most = by.includes("hour") ? maxHourDays : maxDays;
  if (toMs - fromMs > most * dayMs)
    wrong(
      "from",
      "range_too_long",
      `must be at most ${most} days before to${by.includes("hour") ? " where hours are asked for" : ""}`,
    );
  return { fromMs, toMs };
}

/** The groups that are asked for, each once, in the order of the columns; the currency is always among them, because money of several is never added. */
export function groupsOf({ group_by: asked = ["day"] }: Query): readonly Group[] {
  return groups.filter((group) => group === "currency" || asked.includes(group));
}

export const limitOf = ({ limit, format = "json" }: Query): number => limit ?? defaultRows[format];
