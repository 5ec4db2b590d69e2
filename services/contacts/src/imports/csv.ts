import { Readable } from "node:stream";
import { type CsvError, type Info, parse } from "csv-parse";
import { parse as parseNow } from "csv-parse/sync";
import { type Head, delimiterOf, readHead, readRecord } from "./columns.ts";
import { decoded } from "./decoded.ts";
import { FileBroken, type Found } from "./found.ts";

/** Fifty addresses and a hundred attributes have room; a quote that is never closed must not swallow the file. */
const maxRecordBytes = 128 * 1024;

const options = {
  record_delimiter: ["\r\n", "\n", "\r"],
  relax_column_count: true,
  relax_quotes: true,
  skip_empty_lines: true,
  trim: true,
  max_record_size: maxRecordBytes,
};

const firstLine = (text: string): string => /^[^\r\n]*/.exec(text)![0];

/** The head of a file that begins with these bytes. */
export function readCsvHead(bytes: Buffer): Head | { readonly refusal: string } {
  const text = new TextDecoder().decode(bytes).replace(/^[\r\n]+/, "");
  const line = firstLine(text);
  if (line.includes("\0"))
    return { refusal: "The file is not UTF-8: spreadsheets write it as “CSV UTF-8”." };
  const delimiter = delimiterOf(line);
  try {
    const [cells = []] = parseNow(line, { ...options, delimiter }) as unknown as string[][];
    return readHead(cells);
  } catch {
    return { refusal: "The first line is no head of a CSV file." };
  }
}

/** The records of a CSV file (RFC 4180), separated by commas, semicolons or tabs. Throws FileBroken where it cannot be read on. */
export async function* csvRecords(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Found> {
  const texts = decoded(bytes);
  const begin = await beginning(texts);
  const delimiter = delimiterOf(firstLine(begin.replace(/^[\r\n]+/, "")));
  const parser = Readable.from(chain(begin, texts), { objectMode: false }).pipe(
    // Skipped, so that the records before the error are not lost with the stream; none is taken behind it.
    parse({ ...options, delimiter, info: true, skip_records_with_error: true }),
  );
  let broken: CsvError | undefined;
  parser.on("skip", (error: CsvError) => (broken ??= error));
  let head: Head | undefined;
  let row = 0;
  let last = { lines: 0, empty_lines: 0 };
  // The parser counts a line break of two characters within quotes twice.
  let twice = 0;
  const records = parser as AsyncIterable<{ readonly record: string[]; readonly info: Info }>;
  for await (const { record, info } of records) {
    if (broken !== undefined && Number(broken["lines"]) <= info.lines) break;
    if (head === undefined) {
      const read = readHead(record);
      if ("refusal" in read) throw new FileBroken(read.refusal);
      head = read;
    } else {
      const line = last.lines - twice + (info.empty_lines - last.empty_lines) + 1;
      yield { row: ++row, line, ...readRecord(head, record) };
    }
    last = info;
    for (const cell of record) twice += cell.split("\r\n").length - 1;
  }
  if (broken !== undefined)
    throw new FileBroken(
      `Line ${last.lines - twice + 1} or below: ${reasons[broken.code] ?? otherwise}`,
    );
}

const reasons: Readonly<Record<string, string>> = {
  CSV_MAX_RECORD_SIZE: `a record has more than ${maxRecordBytes} bytes; perhaps a quote is not closed.`,
  CSV_QUOTE_NOT_CLOSED: "a quote is not closed.",
};
const otherwise = "there is text behind a closing quote.";

/** The file up to its first line's end at least. */
async function beginning(texts: AsyncIterator<string>): Promise<string> {
  let begin = "";
  while (!/[^\r\n][\r\n]/.test(begin)) {
    const next = await texts.next();
    if (next.done === true) break;
    begin += next.value;
  }
  return begin;
}

async function* chain(begin: string, rest: AsyncGenerator<string>): AsyncGenerator<string> {
  yield begin;
  yield* rest;
}
