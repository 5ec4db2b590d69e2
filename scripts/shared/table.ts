import { styleText } from "node:util";

/** A table on standard output whose columns are as wide as their widest cell; the first row is its head. A row that begins with ✗ is red. */
export function sayTable(rows: readonly (readonly string[])[], indent = ""): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const [index, row] of rows.entries()) {
    const line = row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ");
    const style = index === 0 ? "bold" : row[0] === "✗" ? "red" : undefined;
    const text = `${indent}${line}`.trimEnd();
    const stream = process.stdout;
    stream.write(`${style === undefined ? text : styleText(style, text, { stream })}\n`);
  }
}
