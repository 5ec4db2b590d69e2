/**
 * Spreadsheets run a cell as a formula that begins with one of these (OWASP, CSV injection), the wide forms of some locales included. An apostrophe before it makes it text; one that
 * stood there already gets another one, so that reading takes back exactly what writing put there.
 */
const runs = /^'*[=+\-@\t\r\n＝＋－＠]/u;

/** A text as it may stand in a cell. */
export const writeCell = (text: string): string => (runs.test(text) ? `'${text}` : text);

/** What `writeCell` was given. */
export const readCell = (cell: string): string =>
  cell.startsWith("'") && runs.test(cell) ? cell.slice(1) : cell;
