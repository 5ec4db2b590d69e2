import type { RebuildResult, TableDifference } from "@heliograph/runtime";

/** What a run prints: a line for the whole, and one for each table that differs. */
export function shadowText(what: string, { events, position, rows = [] }: RebuildResult): string {
  const until = `${events.toLocaleString("en")} events up to position ${position}`;
  if (rows.length === 0) return `${what} is the same by this release's code: ${until}\n`;
  return `${what} would be another by this release's code: ${until}\n${rows.map(lineOf).join("")}`;
}

function lineOf(difference: TableDifference): string {
  const { table, changed, onlyLeft, onlyRight, columnsOnlyLeft, columnsOnlyRight } = difference;
  if (columnsOnlyRight.includes("*")) return `  ${table}: a new table\n`;
  if (columnsOnlyLeft.includes("*")) return `  ${table}: there is no such table any more\n`;
  const parts = [
    `${changed} rows changed, ${onlyRight} more, ${onlyLeft} gone`,
    ...(columnsOnlyRight.length > 0 ? [`new columns: ${columnsOnlyRight.join(", ")}`] : []),
    ...(columnsOnlyLeft.length > 0 ? [`columns gone: ${columnsOnlyLeft.join(", ")}`] : []),
  ];
  return `  ${table}: ${parts.join("; ")}\n`;
}
