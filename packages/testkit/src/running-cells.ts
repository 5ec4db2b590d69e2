const separators = [",", ";", "\t"];
/** Tabs and ends of lines before it are dropped. */
const runs = /^[\t\r]*[=+\-@＝＋－＠]/u;
/** Spreadsheets take these for what they are. */
const number = /^[+-]?\d+(?:\.\d+)?$/;

/** What of a CSV file a spreadsheet would run as a formula, whatever separator the country of its reader has. None is what a test wants. */
export const runningCells = (csv: string): readonly string[] =>
  separators
    .flatMap((separator) => cellsOf(csv.replace(/^\uFEFF/, ""), separator))
    .filter((cell) => runs.test(cell) && !number.test(cell));

/** As spreadsheets read it: a quotation mark counts at the beginning of a cell alone. */
function cellsOf(csv: string, separator: string): readonly string[] {
  const cells: string[] = [];
  for (let at = 0; at <= csv.length;) {
    let cell = "";
    if (csv[at] === '"') {
      at++;
      while (at < csv.length && !(csv[at] === '"' && csv[at + 1] !== '"')) {
        cell += csv[at]!;
        at += csv[at] === '"' ? 2 : 1;
      }
      at++;
    }
    for (; at < csv.length && csv[at] !== separator && csv[at] !== "\n"; at++) cell += csv[at]!;
    cells.push(cell.replace(/\r$/, ""));
    at++;
  }
  return cells;
}
