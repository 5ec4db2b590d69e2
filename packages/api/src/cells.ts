/** Spreadsheets run a cell as a formula that begins with one of these (OWASP, CSV injection), the wide forms of some locales included. */
const runs = "=+\\-@＝＋－＠";
/** Before it blanks are dropped. An apostrophe makes it text; one that stood there already gets another one, so that reading takes back exactly what writing put there. */
const begins = new RegExp(`^'*[${runs}\\t\\r\\n]`, "u");
/**
 * Another country's spreadsheet reads our commas as text and begins a cell after its own separator, whatever is quoted, and after each end of a line then: what follows there must
 * not run either, with quotation marks before it or not.
 */
const within = new RegExp(`(?<=[;\\t\\r\\n])(?=["']*[${runs}])`, "gu");
const withinWritten = new RegExp(`(?<=[;\\t\\r\\n])'(?=["']*[${runs}])`, "gu");

/** A text as it may stand in a cell. */
export const writeCell = (text: string): string => {
  const safe = text.replaceAll(within, "'");
  return begins.test(safe) ? `'${safe}` : safe;
};

/** What somebody typed in a spreadsheet, without the apostrophe that keeps it from running. */
export const readTyped = (cell: string): string =>
  cell.startsWith("'") && begins.test(cell) ? cell.slice(1) : cell;

/** What `writeCell` was given. */
export const readCell = (cell: string): string => readTyped(cell).replaceAll(withinWritten, "");
