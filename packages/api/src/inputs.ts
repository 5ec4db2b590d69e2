import { parseTime } from "@heliograph/domain";
import { z } from "zod";
import { notValid } from "./validate.ts";

/** A time from outside; `parseTime` reads what this has taken. */
export const TimeInput = z
  .string()
  .max(40)
  .check((context) => {
    if (parseTime(context.value) === undefined)
      context.issues.push({
        code: "invalid_format",
        format: "datetime",
        input: context.value,
        message: "must be an RFC 3339 time such as 2026-05-23T14:22:17Z",
      });
  })
  .meta({ format: "date-time", example: "2026-05-23T14:22:17Z" });

/** The epoch milliseconds of a `TimeInput` that may be left out. */
export const timeOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : parseTime(text);

/** A whole number of a query, in decimal digits: `Number` alone also reads `0x10`, `1e3`, blanks and nothing at all. */
export const queryInt = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .pipe(z.int().min(least).max(most))
    .meta({ override: { type: "integer", minimum: least, maximum: most } });

const split = (text: string): string[] => text.split(",").map((item) => item.trim());

/** Values of a query that are separated by commas; each must be one of the known ones. */
export const listed = <Value extends string>(known: readonly Value[]) =>
  z
    .string()
    .max(1_000)
    .check((context) => {
      if (split(context.value).some((item) => !known.includes(item as Value)))
        context.issues.push({
          code: "invalid_value",
          values: [...known],
          input: context.value,
          message: `must be one or more of ${known.join(", ")}`,
        });
    })
    .transform((text) => split(text) as Value[])
    .meta({ override: { type: "string", ...patternOf(known) } });

/** Of a few values the document says which they are; of a hundred types of events their description does. */
function patternOf(known: readonly string[]): { pattern?: string } {
  if (known.length > 20 || known.some((value) => /\W/.test(value))) return {};
  const one = ` *(${known.join("|")}) *`;
  return { pattern: `^${one}(,${one})*$` };
}

/** The value of a field that has two names, given by both of them, its own first. Throws `invalid_request` when they differ. */
export function givenOnce<Value>(
  given: Readonly<Record<string, Value | undefined>>,
): Value | undefined {
  const [[name, value], [alias, other]] = Object.entries(given) as [
    [string, Value | undefined],
    [string, Value | undefined],
  ];
  if (value !== undefined && other !== undefined && value !== other)
    throw notValid("query", [
      { path: alias, code: "conflict", message: `is another name of ${name}, and differs from it` },
    ]);
  return value ?? other;
}
