import { Readable } from "node:stream";
import { CsvError, type Info, parse } from "csv-parse";
import { parse as parseNow } from "csv-parse/sync";
import { type Head, type RowFault, delimiterOf, fault, readHead, readRecord } from "./columns.ts";
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

/** Errors after which the parser does not find the next record. */
const fatal: Readonly<Record<string, string>> = {
  CSV_MAX_RECORD_SIZE: `A record has more than ${maxRecordBytes} bytes: perhaps a quote before it is not closed.`,
  CSV_QUOTE_NOT_CLOSED: "A quote is not closed.",
};

/** The records of a CSV file (RFC 4180), separated by commas, semicolons or tabs. Throws FileBroken where it cannot be read on. */
export async function* csvRecords(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Found> {
  const texts = decoded(bytes);
  const begin = await beginning(texts);
  const delimiter = delimiterOf(firstLine(begin.replace(/^[\r\n]+/, "")));
  const skipped: CsvError[] = [];
  const parser = Readable.from(chain(begin, texts), { objectMode: false }).pipe(
    parse({ ...options, delimiter, info: true, skip_records_with_error: true }),
  );
  parser.on("skip", (error: CsvError) => skipped.push(error));
  let head: Head | undefined;
  let row = 0;
  let last = { lines: 0, empty_lines: 0 };
  const records = parser as AsyncIterable<{ readonly record: string[]; readonly info: Info }>;
  for await (const { record, info } of records) {
    while (skipped.length > 0 && Number(skipped[0]!["lines"]) < info.lines)
      yield { row: ++row, ...misread(skipped.shift()!) };
    if (head === undefined) {
      const read = readHead(record);
      if ("refusal" in read) throw new FileBroken(read.refusal);
      head = read;
    } else {
      const line = last.lines + (info.empty_lines - last.empty_lines) + 1;
      yield { row: ++row, line, ...readRecord(head, record) };
    }
    last = info;
  }
  for (const error of skipped) yield { row: ++row, ...misread(error) };
}

/** A record that is not written by the rules: it fails alone, unless no end of it is found. */
function misread(error: CsvError): { readonly line: number; readonly fault: RowFault } {
  const line = Number(error["lines"]);
  const reason = fatal[error.code];
  if (reason !== undefined) throw new FileBroken(`Line ${line}: ${reason}`);
  return { line, fault: fault("", "invalid_csv", "is not written by the rules of CSV: RFC 4180") };
}

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
